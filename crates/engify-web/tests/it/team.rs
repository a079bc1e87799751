//! An organization for a test, and people in it.

use engify_app::Ctx;
use engify_core::message::MessageKind;
use engify_testkit::TestApp;
use serde_json::{Value, json};

use crate::client::{Client, PASSWORD};

/// An organization called Acme.
pub(crate) struct Team {
    /// Its id.
    pub(crate) id: String,
    /// Its owner.
    pub(crate) admin: Client,
}

impl Team {
    /// Of Ana, who signs up for it.
    pub(crate) async fn start(test: &TestApp) -> Self {
        Self::of(Client::of(test).signed_up("ana").await).await
    }

    /// Of somebody who is there already.
    pub(crate) async fn of(admin: Client) -> Self {
        Self::named(admin, "Acme").await
    }

    /// With a name of its own.
    pub(crate) async fn named(admin: Client, name: &str) -> Self {
        let made = admin.post("/api/v2/organizations", &json!({ "name": name })).await.with(201);
        Self { id: made["id"].as_str().unwrap().to_owned(), admin }
    }

    /// A path of its API.
    pub(crate) fn path(&self, below: &str) -> String {
        format!("/api/v2/organizations/{}{below}", self.id)
    }

    /// Sends an invitation.
    pub(crate) async fn invite(&self, email: &str, role: &str) -> Value {
        let body = json!({ "email": email, "role": role });
        self.admin.post(&self.path("/invitations"), &body).await.with(201)["data"].clone()
    }
}

/// Somebody who accepted an invitation with a new account.
pub(crate) async fn invited(test: &TestApp, team: &Team, name: &str, role: &str) -> Client {
    let email = format!("{name}@example.com");
    team.invite(&email, role).await;
    let token = link_to(test, &email).await;
    let mut client = team.admin.stranger().of_name(name);
    let body = json!({ "name": name, "password": PASSWORD });
    let reply = client.post(&format!("/api/v2/invitations/{token}/accept"), &body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    client.keep_cookie(&reply);
    client
}

/// The token of the newest invitation that went to an address, as in the letter.
pub(crate) async fn link_to(test: &TestApp, email: &str) -> String {
    let mail = test.mail(email, MessageKind::Invitation).await;
    token_after(&mail.content.text, "/invitations/")
}

/// Follows the newest link that proves an address.
pub(crate) async fn prove(test: &TestApp, email: &str) {
    let mail = test.mail(email, MessageKind::VerifyAddress).await;
    let token = token_after(&mail.content.text, "token=");
    let ctx = Ctx::new(&test.app, engify_app::Actor::Anonymous, engify_app::Origin::default());
    engify_app::accounts::verify_address(&ctx, &token).await.expect("a proof");
}

/// Follows the newest link that chooses a password.
pub(crate) async fn choose_password(test: &TestApp, email: &str) {
    let mail = test.mail(email, MessageKind::ResetPassword).await;
    let token = token_after(&mail.content.text, "token=");
    let ctx = Ctx::new(&test.app, engify_app::Actor::Anonymous, engify_app::Origin::default());
    let password = engify_core::Secret::new(PASSWORD.to_owned());
    engify_app::accounts::reset_password(&ctx, &token, password).await.expect("a password");
}

fn token_after(text: &str, mark: &str) -> String {
    let (_, rest) = text.split_once(mark).expect("a link");
    rest.chars().take_while(|c| c.is_ascii_alphanumeric()).collect()
}
