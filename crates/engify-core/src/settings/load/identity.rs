//! The part of loading that is about identity providers.

use super::{Reader, is_local};
use crate::permission::Role;
use crate::secret::Secret;
use crate::settings::{IdentityProtocol, IdentityProvider, IdentitySettings};
use crate::words::Slug;

/// What an issuer is asked for where the operator does not say.
const SCOPES: &str = "openid email profile";

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    pub(super) fn identity(&mut self, production: bool) -> IdentitySettings {
        let providers = [self.google(), self.github(), self.oidc(production)].into_iter().flatten().collect();
        IdentitySettings {
            providers,
            roles: self.pairs("OIDC_ROLE_MAP", Role::parse, "staff=org_member,leads=org_admin"),
            organizations: self.pairs("OIDC_ORGANIZATION_MAP", Slug::parse, "staff=acme,example.com=acme"),
            allowed_domains: self.domains("OAUTH_ALLOWED_DOMAINS"),
        }
    }

    fn google(&mut self) -> Option<IdentityProvider> {
        let issuer = self.issuer("GOOGLE_ISSUER").unwrap_or_else(|| "https://accounts.google.com".to_owned());
        let (client_id, client_secret) = self.client("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET")?;
        let protocol = IdentityProtocol::OpenId {
            issuer,
            scopes: words(SCOPES),
            groups_claim: "groups".to_owned(),
            trusts_email: false,
        };
        Some(IdentityProvider {
            id: "google",
            label: "Google".to_owned(),
            client_id,
            client_secret,
            protocol,
        })
    }

    fn github(&mut self) -> Option<IdentityProvider> {
        let base_url = self.address("GITHUB_BASE_URL", "https://github.com");
        let hosted = base_url == "https://github.com";
        // Where GitHub's own servers are not meant, the API is that of a GitHub Enterprise Server.
        let api = if hosted { "https://api.github.com".to_owned() } else { format!("{base_url}/api/v3") };
        let api_base_url = self.address("GITHUB_API_BASE_URL", &api);
        let (client_id, client_secret) = self.client("GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET")?;
        let protocol = IdentityProtocol::GitHub { base_url, api_base_url };
        Some(IdentityProvider {
            id: "github",
            label: "GitHub".to_owned(),
            client_id,
            client_secret,
            protocol,
        })
    }

    fn oidc(&mut self, production: bool) -> Option<IdentityProvider> {
        let issuer = self.issuer("OIDC_ISSUER");
        let client = self.client("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET");
        let mut scopes = words(&self.text("OIDC_SCOPES").unwrap_or_else(|| SCOPES.to_owned()));
        if !scopes.iter().any(|scope| scope == "openid") {
            scopes.insert(0, "openid".to_owned());
        }
        let groups_claim = self.text("OIDC_GROUPS_CLAIM").unwrap_or_else(|| "groups".to_owned());
        let trusts_email = self.flag("OIDC_TRUST_EMAIL", false);
        let label = self.text("OIDC_NAME").unwrap_or_else(|| "Single sign-on".to_owned());
        if label.chars().count() > 40 || label.chars().any(char::is_control) {
            self.fault("OIDC_NAME", "is the word on a button: one line of at most 40 characters");
        }
        let (issuer, (client_id, client_secret)) = match (issuer, client) {
            (Some(issuer), Some(client)) => (issuer, client),
            (None, Some(_)) => {
                let issue = "is missing beside OIDC_CLIENT_ID; set the issuer's address, as in https://login.example.com";
                self.fault("OIDC_ISSUER", issue);
                return None;
            }
            (Some(_), None) => {
                // With one of the two missing the fault is noted already.
                if self.text("OIDC_CLIENT_ID").is_none() && self.text("OIDC_CLIENT_SECRET").is_none() {
                    let issue = "is missing beside OIDC_ISSUER; register Engify there and copy its client id and secret";
                    self.fault("OIDC_CLIENT_ID", issue);
                }
                return None;
            }
            (None, None) => return None,
        };
        if production && !issuer.starts_with("https://") && !is_local(&issuer) {
            self.fault("OIDC_ISSUER", "must start with https:// in production: what it says opens accounts");
        }
        let protocol = IdentityProtocol::OpenId { issuer, scopes, groups_claim, trusts_email };
        Some(IdentityProvider { id: "oidc", label, client_id, client_secret, protocol })
    }

    /// An issuer as it is written: whether it ends with a slash is part of its name.
    fn issuer(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        // Checks the form, and would take the slash away.
        self.address(name, "");
        Some(text)
    }

    /// Id and secret, which come together or not at all.
    fn client(&mut self, id: &str, secret: &str) -> Option<(String, Secret<String>)> {
        match (self.text(id), self.secret(secret)) {
            (Some(id), Some(secret)) => Some((id, secret)),
            (None, None) => None,
            (Some(_), None) => {
                self.fault(secret, format!("is missing beside {id}; copy both from the provider's console"));
                None
            }
            (None, Some(_)) => {
                self.fault(id, format!("is missing beside {secret}; copy both from the provider's console"));
                None
            }
        }
    }

    fn domains(&mut self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default().to_lowercase();
        let domains: Vec<String> =
            text.split(',').map(|domain| domain.trim().trim_start_matches('@').to_owned()).collect();
        let fits = |domain: &String| crate::words::Email::parse(&format!("a@{domain}")).is_ok();
        if !text.is_empty() && !domains.iter().all(fits) {
            self.fault(name, "is a comma-separated list of domains, as in example.com,example.org");
            return Vec::new();
        }
        domains.into_iter().filter(|domain| !domain.is_empty()).collect()
    }

    /// `name=word,…`; what stands before the last `=` of a pair is the name.
    fn pairs<T>(
        &mut self,
        name: &str,
        parse: fn(&str) -> Result<T, String>,
        example: &str,
    ) -> Vec<(String, T)> {
        let text = self.text(name).unwrap_or_default();
        let mut pairs = Vec::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let Some((left, right)) = pair.rsplit_once('=').filter(|(left, _)| !left.trim().is_empty())
            else {
                self.fault(name, format!("is a comma-separated list of pairs, as in {example}"));
                return Vec::new();
            };
            match parse(right.trim()) {
                Ok(value) => pairs.push((left.trim().to_owned(), value)),
                Err(issue) => self.fault(name, format!("has {left}={right}, where what follows = {issue}")),
            }
        }
        pairs
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use crate::permission::Role;
    use crate::settings::{Fault, IdentityProtocol, IdentitySettings, load};

    fn loaded(given: &[(&str, &str)]) -> Result<IdentitySettings, Vec<Fault>> {
        let value =
            |name: &str| given.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        load(value).map(|settings| settings.identity)
    }

    fn faulty(given: &[(&str, &str)]) -> Vec<String> {
        loaded(given).unwrap_err().into_iter().map(|fault| fault.name).collect()
    }

    const OIDC: [(&str, &str); 3] = [
        ("OIDC_ISSUER", "https://id.example.com/"),
        ("OIDC_CLIENT_ID", "engify"),
        ("OIDC_CLIENT_SECRET", "s"),
    ];

    #[test]
    fn nothing_is_configured_until_it_is() {
        assert!(loaded(&[]).unwrap().providers.is_empty());
    }

    #[test]
    fn an_issuer_keeps_its_slash_and_openid_is_always_asked_for() {
        let settings = loaded(&[OIDC[0], OIDC[1], OIDC[2], ("OIDC_SCOPES", "email groups")]).unwrap();
        let IdentityProtocol::OpenId { issuer, scopes, .. } = &settings.providers[0].protocol else {
            panic!("OpenID")
        };
        assert_eq!(
            (issuer.as_str(), scopes.join(" ").as_str()),
            ("https://id.example.com/", "openid email groups")
        );
    }

    #[test]
    fn a_github_enterprise_server_has_its_api_below_its_own_address() {
        let given = [
            ("GITHUB_CLIENT_ID", "a"),
            ("GITHUB_CLIENT_SECRET", "b"),
            ("GITHUB_BASE_URL", "https://git.acme.com/"),
        ];
        let settings = loaded(&given).unwrap();
        let IdentityProtocol::GitHub { api_base_url, .. } = &settings.providers[0].protocol else {
            panic!("GitHub")
        };
        assert_eq!(api_base_url, "https://git.acme.com/api/v3");
    }

    #[test]
    fn groups_may_contain_what_directories_put_into_their_names() {
        let maps = [
            ("OIDC_ROLE_MAP", "cn=leads=org_admin, /staff = org_member"),
            ("OIDC_ORGANIZATION_MAP", "example.com=acme"),
        ];
        let settings = loaded(&maps).unwrap();
        assert_eq!(
            settings.roles,
            [("cn=leads".to_owned(), Role::OrgAdmin), ("/staff".to_owned(), Role::OrgMember)]
        );
        assert_eq!(settings.organizations[0].1.as_str(), "acme");
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let given = [
            ("GOOGLE_CLIENT_ID", "only the id"),
            ("OIDC_CLIENT_ID", "a"),
            ("OIDC_CLIENT_SECRET", "b"),
            ("OIDC_ROLE_MAP", "staff=boss"),
            ("OIDC_ORGANIZATION_MAP", "nothing"),
            ("OAUTH_ALLOWED_DOMAINS", "example.com,not a domain"),
        ];
        let expected = [
            "GOOGLE_CLIENT_SECRET",
            "OIDC_ISSUER",
            "OIDC_ROLE_MAP",
            "OIDC_ORGANIZATION_MAP",
            "OAUTH_ALLOWED_DOMAINS",
        ];
        assert_eq!(faulty(&given), expected);
        assert_eq!(faulty(&[OIDC[0]]), ["OIDC_CLIENT_ID"]);
        assert_eq!(faulty(&[OIDC[0], OIDC[1]]), ["OIDC_CLIENT_SECRET"]);
    }
}
