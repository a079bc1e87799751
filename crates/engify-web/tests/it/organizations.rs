//! Organizations: making one, inviting, joining, roles, leaving, the end.

use engify_testkit::TestApp;
use serde_json::{Value, json};
use std::time::Duration;

use crate::client::{Client, PASSWORD};
use crate::team::{Team, invited, link_to};

#[tokio::test]
async fn whoever_makes_an_organization_owns_it_and_runs_it() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let made = ana.post("/api/v2/organizations", &json!({ "name": "Acme Corp." })).await.with(201);
    assert_eq!((made["name"].as_str(), made["slug"].as_str()), (Some("Acme Corp."), Some("acme-corp")));
    let session = ana.get("/api/auth/session").await.with(200);
    assert_eq!(session["user"]["role"], "org_admin");
    assert_eq!(session["user"]["organizationId"], made["id"]);
    assert_eq!(made["ownerId"], session["user"]["id"]);

    let second = ana.post("/api/v2/organizations", &json!({ "name": "Another" })).await;
    assert_eq!(second.refused(409), "already_member");
    let ben = ana.signed_up("benjamin").await;
    let same = ben.post("/api/v2/organizations", &json!({ "name": "Acme Corp." })).await.with(201);
    assert_eq!(same["slug"], "acme-corp-2", "a slug that was not asked for gives way");
    let cleo = ana.signed_up("cleopatra").await;
    let taken = cleo.post("/api/v2/organizations", &json!({ "name": "X", "slug": "acme-corp" })).await;
    assert_eq!((taken.refused(409).as_str(), taken.fields()), ("slug_taken", vec!["slug".to_owned()]));
    let bad = cleo.post("/api/v2/organizations", &json!({ "name": " ", "slug": "No Slug" })).await;
    assert_eq!(bad.fields(), ["name", "slug"]);
    assert_eq!(cleo.get("/api/auth/session").await.with(200)["user"]["role"], "user", "nothing half-done");
}

#[tokio::test]
async fn a_new_person_joins_through_the_link_while_sign_up_is_closed() {
    let test = TestApp::with(&[("NEXT_PUBLIC_ALLOW_SIGNUP", "false")]).await;
    let root = Client::of(&test).admin(&test).await;
    let team = Team::of(root).await;
    team.invite("dora@example.com", "org_manager").await;
    let token = link_to(&test, "dora@example.com").await;
    let stranger = team.admin.stranger();
    let letter = stranger.get(&format!("/api/v2/invitations/{token}")).await.with(200);
    assert_eq!((&letter["organization"], &letter["email"]), (&json!("Acme"), &json!("dora@example.com")));
    let accept = format!("/api/v2/invitations/{token}/accept");
    assert_eq!(stranger.post(&accept, &json!({})).await.refused(401), "unauthenticated");
    let weak = stranger.post(&accept, &json!({ "name": "", "password": "short" })).await;
    assert_eq!(weak.fields(), ["name", "password"]);
    let mut dora = stranger.clone();
    let reply = dora.post(&accept, &json!({ "name": "Dora", "password": PASSWORD })).await;
    assert_eq!(reply.with(200)["id"], team.id.as_str());
    dora.keep_cookie(&reply);
    let user = dora.get("/api/auth/session").await.with(200)["user"].clone();
    assert_eq!((&user["role"], &user["organizationId"]), (&json!("org_manager"), &json!(team.id)));
    let detail = team.admin.get(&format!("/api/v2/users/{}", user["id"].as_str().unwrap())).await.with(200);
    assert_ne!(detail["emailVerifiedAt"], Value::Null, "the link came by mail, so the address is proven");
    assert_eq!(
        stranger.get(&format!("/api/v2/invitations/{token}")).await.refused(404),
        "not_found",
        "used up"
    );
}

#[tokio::test]
async fn only_the_invited_address_can_accept() {
    let test = TestApp::start().await;
    let team = Team::start(&test).await;
    let ben = team.admin.signed_up("benjamin").await;
    let eve = team.admin.signed_up("eve").await;
    team.invite("benjamin@example.com", "org_member").await;
    let token = link_to(&test, "benjamin@example.com").await;
    let accept = format!("/api/v2/invitations/{token}/accept");
    assert_eq!(eve.post(&accept, &json!({})).await.refused(403), "wrong_address");
    let again = eve.stranger().post(&accept, &json!({ "name": "Ben", "password": PASSWORD })).await;
    assert_eq!(again.refused(409), "email_taken", "an account with this address signs in instead");
    ben.post(&accept, &json!({})).await.with(200);
    assert_eq!(ben.get("/api/auth/session").await.with(200)["user"]["role"], "org_member");
    let member =
        team.admin.post(&team.path("/invitations"), &json!({ "email": "benjamin@example.com" })).await;
    assert_eq!(member.refused(409), "already_member");
}

#[tokio::test]
async fn an_invitation_ends_after_a_week_when_it_is_taken_back_and_when_it_is_sent_again() {
    let test = TestApp::start().await;
    let team = Team::start(&test).await;
    let open = async |token: &str| team.admin.stranger().get(&format!("/api/v2/invitations/{token}")).await;
    let first = team.invite("dora@example.com", "org_member").await;
    let one = link_to(&test, "dora@example.com").await;
    open(&one).await.with(200);
    let id = first["id"].as_str().unwrap();
    team.admin.post(&team.path(&format!("/invitations/{id}/resend")), &json!({})).await.with(200);
    let two = link_to(&test, "dora@example.com").await;
    assert_eq!(open(&one).await.refused(404), "not_found", "the old link ends");
    open(&two).await.with(200);
    test.clock.advance(Duration::from_secs(7 * 24 * 3600));
    assert_eq!(open(&two).await.refused(404), "not_found", "a week is over");
    let team = Team { admin: team.admin.signed_in("ana@example.com").await, ..team };
    team.admin.post(&team.path(&format!("/invitations/{id}/resend")), &json!({})).await.with(200);
    let three = link_to(&test, "dora@example.com").await;
    team.admin.delete(&team.path(&format!("/invitations/{id}"))).await.with(200);
    let gone = team.admin.stranger().get(&format!("/api/v2/invitations/{three}")).await;
    assert_eq!(gone.refused(404), "not_found", "taken back");
    assert_eq!(team.admin.get(&team.path("/invitations")).await.with(200)["data"], json!([]));
}

#[tokio::test]
async fn seats_are_never_oversold() {
    let test = TestApp::start().await;
    let team = Team::start(&test).await;
    team.admin.patch(&team.path(""), &json!({ "seats": 3 })).await.with(200);
    let invite = |email: &'static str| {
        let (admin, path) = (team.admin.clone(), team.path("/invitations"));
        async move { admin.post(&path, &json!({ "email": email })).await.status.as_u16() }
    };
    let (a, b, c, d) = tokio::join!(
        invite("a@example.com"),
        invite("b@example.com"),
        invite("c@example.com"),
        invite("d@example.com")
    );
    let mut statuses = [a, b, c, d];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 409, 409], "the owner and two invitations fill three seats");
    let few = team.admin.patch(&team.path(""), &json!({ "seats": 3, "dataRetentionDays": 99_999 })).await;
    assert_eq!(few.fields(), ["dataRetentionDays"]);
    let freed = team.admin.get(&team.path("/invitations")).await.with(200)["data"][0]["id"].clone();
    team.admin.delete(&team.path(&format!("/invitations/{}", freed.as_str().unwrap()))).await.with(200);
    assert_eq!(invite("c@example.com").await, 201, "a seat that was given back is a seat");
}

#[tokio::test]
async fn domains_decide_who_may_join_and_who_may_be_invited() {
    let test = TestApp::start().await;
    let team = Team::start(&test).await;
    let none = team.admin.patch(&team.path(""), &json!({ "domainJoin": true })).await;
    assert_eq!(none.fields(), ["domains"], "a switch without domains means nothing");
    let wrong =
        team.admin.patch(&team.path(""), &json!({ "domains": ["example.com", "not a domain"] })).await;
    assert_eq!(wrong.fields(), ["domains.1"]);
    crate::team::prove(&test, "ana@example.com").await;
    let settings = json!({ "domains": ["@Example.com"], "domainJoin": true, "domainOnly": true });
    let set = team.admin.patch(&team.path(""), &settings).await.with(200);
    assert_eq!(set["domains"], json!(["example.com"]));
    let outside =
        team.admin.post(&team.path("/invitations"), &json!({ "email": "eve@elsewhere.example" })).await;
    assert_eq!(
        (outside.refused(400).as_str(), outside.fields()),
        ("invalid_request", vec!["email".to_owned()])
    );

    let ben = team.admin.signed_up("benjamin").await;
    let join = team.path("/join");
    assert_eq!(ben.post(&join, &json!({})).await.refused(404), "not_found", "the address is not proven yet");
    crate::team::prove(&test, "benjamin@example.com").await;
    let open = ben.get("/api/v2/organizations/joinable").await.with(200);
    assert_eq!(open["data"][0]["id"], team.id.as_str());
    ben.post(&join, &json!({})).await.with(200);
    assert_eq!(ben.get("/api/auth/session").await.with(200)["user"]["role"], "org_member");

    team.admin.patch(&team.path(""), &json!({ "domainJoin": false })).await.with(200);
    let cleo = team.admin.signed_up("cleopatra").await;
    crate::team::prove(&test, "cleopatra@example.com").await;
    assert_eq!(cleo.get("/api/v2/organizations/joinable").await.with(200)["data"], json!([]));
    assert_eq!(cleo.post(&join, &json!({})).await.refused(404), "not_found");
}

#[tokio::test]
async fn nobody_poses_as_a_company_to_its_people() {
    let test = TestApp::start().await;
    let team = Team::start(&test).await;
    let open = |domains: &[&str]| json!({ "domains": domains, "domainJoin": true });
    let unproven = team.admin.patch(&team.path(""), &open(&["example.com"])).await;
    assert_eq!(unproven.fields(), ["domainJoin"], "an address that nobody proved is of no domain");
    crate::team::prove(&test, "ana@example.com").await;
    let foreign = team.admin.patch(&team.path(""), &open(&["example.com", "elsewhere.example"])).await;
    assert_eq!(foreign.fields(), ["domainJoin"]);
    assert!(foreign.text.contains("elsewhere.example"), "{}", foreign.text);
    team.admin.patch(&team.path(""), &open(&["example.com"])).await.with(200);
    team.admin.patch(&team.path(""), &json!({ "domains": ["elsewhere.example"] })).await.refused(400);
    let root = Client::of(&test).admin(&test).await;
    root.patch(&team.path(""), &open(&["example.com", "elsewhere.example"])).await.with(200);
    team.admin.patch(&team.path(""), &json!({ "name": "Acme again" })).await.with(200);
}

#[tokio::test]
async fn what_is_shared_stays_and_what_is_private_goes_with_whoever_leaves() {
    let test = TestApp::start().await;
    let team = Team::start(&test).await;
    let ben = invited(&test, &team, "benjamin", "org_member").await;
    let shared = json!({ "title": "Shared thing", "content": "x", "visibility": "organization" });
    ben.post("/api/prompts", &shared).await.with(201);
    ben.post("/api/prompts", &json!({ "title": "Private thing", "content": "y" })).await.with(201);
    let key = ben.post("/api/v2/users/api-keys", &json!({ "name": "ci" })).await.with(201);
    let by_key = ben.with_key(key["data"]["key"].as_str().unwrap());
    team.admin.get("/api/prompts/shared-thing").await.with(200);
    assert_eq!(team.admin.get("/api/prompts/private-thing").await.refused(404), "not_found");
    let mine = team.admin.get("/api/prompts?visibility=organization").await.with(200);
    assert_eq!((mine["total"].as_u64(), &mine["data"][0]["slug"]), (Some(1), &json!("shared-thing")));

    let user = ben.get("/api/auth/session").await.with(200)["user"]["id"].as_str().unwrap().to_owned();
    team.admin.delete(&team.path(&format!("/members/{user}"))).await.with(200);
    assert_eq!(ben.get("/api/auth/sessions").await.refused(401), "unauthenticated", "sessions end at once");
    assert_eq!(by_key.get("/api/v2/ai/runs").await.refused(401), "invalid_api_key", "keys end at once");
    team.admin.get("/api/prompts/shared-thing").await.with(200);
    let ben = ben.signed_in("benjamin@example.com").await;
    assert_eq!(ben.get("/api/auth/session").await.with(200)["user"]["role"], "user");
    assert_eq!(
        ben.get("/api/prompts/shared-thing").await.refused(404),
        "not_found",
        "it stays with the organization"
    );
    ben.get("/api/prompts/private-thing").await.with(200);
    let away = ben.patch("/api/prompts/private-thing", &json!({ "visibility": "organization" })).await;
    assert_eq!(away.fields(), ["visibility"], "nobody shares with an organization they left");
    let dashboard = ben.get("/dashboard").await;
    assert!(!dashboard.text.contains("Shared thing"), "not among one's own any more");
}

#[tokio::test]
async fn the_owner_stays_until_the_organization_is_handed_on() {
    let test = TestApp::start().await;
    let team = Team::start(&test).await;
    let ben = invited(&test, &team, "benjamin", "org_admin").await;
    let ana_id =
        team.admin.get("/api/auth/session").await.with(200)["user"]["id"].as_str().unwrap().to_owned();
    let ben_id = ben.get("/api/auth/session").await.with(200)["user"]["id"].as_str().unwrap().to_owned();
    let owner = |what: &str| format!("/api/v2/users/{ana_id}/{what}");
    let ana = team.admin.clone();
    assert_eq!(ana.post(&team.path("/leave"), &json!({})).await.refused(409), "owner_protected");
    assert_eq!(ben.delete(&team.path(&format!("/members/{ana_id}"))).await.refused(409), "owner_protected");
    assert_eq!(ben.post(&owner("disable"), &json!({})).await.refused(409), "owner_protected");
    assert_eq!(
        ben.post(&owner("role"), &json!({ "role": "org_member" })).await.refused(409),
        "owner_protected"
    );
    let to_ben = json!({ "userId": ben_id });
    assert_eq!(ben.post(&team.path("/transfer"), &to_ben).await.refused(403), "not_owner");
    assert_eq!(
        ana.post(&team.path("/transfer"), &json!({ "userId": "nobody" })).await.refused(404),
        "not_found"
    );
    assert_eq!(ana.post(&team.path("/transfer"), &to_ben).await.with(200)["ownerId"], ben_id.as_str());
    ana.post(&team.path("/leave"), &json!({})).await.with(200);
    assert_eq!(ana.get("/api/auth/session").await.with(200)["user"]["role"], "user");
    assert_eq!(ana.get(&team.path("")).await.refused(404), "not_found");
}

#[tokio::test]
async fn the_end_of_an_organization_gives_everything_back_to_people() {
    let test = TestApp::start().await;
    let team = Team::start(&test).await;
    let ben = invited(&test, &team, "benjamin", "org_member").await;
    let cleo = invited(&test, &team, "cleopatra", "org_member").await;
    for (person, title) in [(&ben, "From Ben"), (&cleo, "From Cleo")] {
        let shared = json!({ "title": title, "content": "x", "visibility": "organization" });
        person.post("/api/prompts", &shared).await.with(201);
    }
    cleo.post(&team.path("/leave"), &json!({})).await.with(200);
    team.invite("dora@example.com", "org_member").await;
    let token = link_to(&test, "dora@example.com").await;
    let wrong = team.admin.delete(&team.path("?name=acme")).await;
    assert_eq!(wrong.fields(), ["name"], "a name that is nearly right is not right");
    team.admin.delete(&team.path("?name=Acme")).await.with(200);

    let user = team.admin.get("/api/auth/session").await.with(200)["user"].clone();
    assert_eq!((&user["role"], &user["organizationId"]), (&json!("user"), &Value::Null));
    let ben = ben.signed_in("benjamin@example.com").await;
    assert_eq!(ben.get("/api/auth/session").await.with(200)["user"]["role"], "user");
    assert_eq!(ben.get("/api/prompts/from-ben").await.with(200)["visibility"], "private");
    let left = team.admin.get("/api/prompts/from-cleo").await.with(200);
    assert_eq!(left["visibility"], "private", "whose author left goes to the owner");
    assert_eq!(cleo.get("/api/prompts/from-cleo").await.refused(404), "not_found");
    let link = team.admin.stranger().get(&format!("/api/v2/invitations/{token}")).await;
    assert_eq!(link.refused(404), "not_found");
    team.admin.post("/api/v2/organizations", &json!({ "name": "Acme", "slug": "acme" })).await.with(201);
}

#[tokio::test]
async fn runs_are_deleted_when_their_time_is_over() {
    let test = TestApp::start().await;
    let team = Team::start(&test).await;
    team.admin.patch(&team.path(""), &json!({ "dataRetentionDays": 30 })).await.with(200);
    let loner = team.admin.signed_up("eve").await;
    for person in [&team.admin, &loner] {
        person.post("/api/v2/ai/execute", &json!({ "prompt": "hi" })).await.with(200);
    }
    let system = engify_app::Ctx::system(&test.app, "test");
    engify_app::audit::settle(&system).await.unwrap();
    assert_eq!(engify_app::organizations::prune_runs(&system).await.unwrap(), 0);
    test.clock.advance(Duration::from_secs(31 * 24 * 3600));
    assert_eq!(engify_app::organizations::prune_runs(&system).await.unwrap(), 1);
    let ana = team.admin.signed_in("ana@example.com").await;
    assert_eq!(ana.get("/api/v2/ai/runs").await.with(200)["data"], json!([]));
    let eve = loner.signed_in("eve@example.com").await;
    assert_eq!(eve.get("/api/v2/ai/runs").await.with(200)["data"].as_array().map(Vec::len), Some(1));
}
