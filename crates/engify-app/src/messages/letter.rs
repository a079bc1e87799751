//! The letters there are. What each says stands in one place, [`Letter::write`], from which text and HTML are made.

use engify_core::message::MessageKind;
use engify_core::words::Email;
use engify_core::{Secret, Time};

/// A letter. Links are whole addresses ([`super::address`] makes them) and secret, because most of them open something.
#[derive(Debug, Clone)]
pub enum Letter {
    /// Proves an address: of a new account, or one that an account changes to.
    VerifyAddress {
        /// Where the proof is given.
        link: Secret<String>,
        /// When the link stops working.
        expires: Time,
    },
    /// Chooses a new password.
    ResetPassword {
        /// Where it is chosen.
        link: Secret<String>,
        /// When the link stops working.
        expires: Time,
    },
    /// An administrator made an account; its owner chooses the first password.
    AccountMade {
        /// Who made it.
        maker: String,
        /// Where the password is chosen.
        link: Secret<String>,
        /// When the link stops working.
        expires: Time,
    },
    /// The password was changed.
    PasswordChanged {
        /// When and where from.
        deed: Deed,
    },
    /// Somebody signed in from a device that was not seen before.
    NewDevice {
        /// When and where from.
        deed: Deed,
    },
    /// What opens the account beside its password was added or removed.
    FactorsChanged {
        /// What happened, a sentence: `An authenticator app was added.`
        what: String,
        /// When and where from.
        deed: Deed,
    },
    /// The account's address was changed; goes to the old one.
    AddressChanged {
        /// The new one.
        to: Email,
        /// When and where from.
        deed: Deed,
    },
    /// Somebody is asked to join an organization.
    Invitation {
        /// Its name.
        organization: String,
        /// Who asks.
        inviter: String,
        /// As what, in words: `member`.
        role: String,
        /// Where they accept.
        link: Secret<String>,
        /// When the invitation ends.
        expires: Time,
    },
    /// An API key ends soon.
    KeyExpires {
        /// What its owner calls it.
        name: String,
        /// Its beginning, by which it is recognised.
        prefix: String,
        /// When it ends.
        expires: Time,
    },
    /// What happened in a week.
    Digest {
        /// Figures with their names.
        facts: Vec<(&'static str, String)>,
        /// Where there is more.
        link: Secret<String>,
    },
}

/// When something was done to an account, and where from.
#[derive(Debug, Clone)]
pub struct Deed {
    /// When.
    pub at: Time,
    /// The browser in words: `Firefox on Linux`.
    pub device: String,
    /// The address it came from.
    pub address: String,
}

impl Deed {
    /// What the caller does now.
    pub fn now(ctx: &crate::Ctx) -> Self {
        Self {
            at: ctx.now(),
            device: crate::accounts::device_name(&ctx.origin.agent),
            address: ctx.origin.address.clone(),
        }
    }
}

/// A piece of a letter.
#[derive(Debug)]
pub(super) enum Piece {
    /// A paragraph.
    Say(String),
    /// What to press, and where it leads.
    Press(&'static str, Secret<String>),
    /// Lines of name and value.
    Facts(Vec<(&'static str, String)>),
}

/// A letter in words, without form.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) subject: String,
    pub(super) pieces: Vec<Piece>,
}

impl Letter {
    pub(super) fn kind(&self) -> MessageKind {
        match self {
            Self::VerifyAddress { .. } => MessageKind::VerifyAddress,
            Self::ResetPassword { .. } | Self::AccountMade { .. } => MessageKind::ResetPassword,
            Self::PasswordChanged { .. } => MessageKind::PasswordChanged,
            Self::NewDevice { .. } => MessageKind::NewDevice,
            Self::FactorsChanged { .. } => MessageKind::FactorsChanged,
            Self::AddressChanged { .. } => MessageKind::AddressChanged,
            Self::Invitation { .. } => MessageKind::Invitation,
            Self::KeyExpires { .. } => MessageKind::KeyExpires,
            Self::Digest { .. } => MessageKind::Digest,
        }
    }

    /// Not worth sending after this moment.
    pub(super) fn useful_until(&self) -> Option<Time> {
        match self {
            Self::VerifyAddress { expires, .. }
            | Self::ResetPassword { expires, .. }
            | Self::AccountMade { expires, .. }
            | Self::Invitation { expires, .. }
            | Self::KeyExpires { expires, .. } => Some(*expires),
            Self::PasswordChanged { .. }
            | Self::NewDevice { .. }
            | Self::FactorsChanged { .. }
            | Self::AddressChanged { .. }
            | Self::Digest { .. } => None,
        }
    }

    /// What it says; `installation` is how this installation calls itself.
    pub(super) fn write(&self, installation: &str) -> Written {
        use Piece::{Press, Say};
        let say = |text: &str| Say(text.to_owned());
        let (subject, pieces) = match self {
            Self::VerifyAddress { link, expires } => (
                "Confirm your address".to_owned(),
                vec![
                    Say(format!(
                        "Confirm that this address is yours, so that {installation} can reach you when it matters."
                    )),
                    Press("Confirm this address", link.clone()),
                    Say(format!(
                        "The link works once, until {}. If you did not ask for it, do nothing.",
                        when(*expires)
                    )),
                ],
            ),
            Self::ResetPassword { link, expires } => (
                "Choose a new password".to_owned(),
                vec![
                    Say(format!("Somebody, probably you, asked for a new password on {installation}.")),
                    Press("Choose a new password", link.clone()),
                    Say(format!(
                        "The link works once, until {}. If you did not ask for it, do nothing: your password stays as it is.",
                        when(*expires)
                    )),
                ],
            ),
            Self::AccountMade { maker, link, expires } => (
                format!("Your account on {installation}"),
                vec![
                    Say(format!("{} made an account for you on {installation}.", tame(maker))),
                    Press("Choose your password", link.clone()),
                    Say(format!(
                        "The link works once, until {}. After that, \"Forgot the password?\" on the sign-in page sends another.",
                        when(*expires)
                    )),
                ],
            ),
            Self::PasswordChanged { deed } => (
                "Your password was changed".to_owned(),
                vec![
                    Say(format!(
                        "The password of your account on {installation} was changed. Other browsers were signed out."
                    )),
                    facts(deed),
                    say(
                        "If this was not you, choose a new password at once (\"Forgot the password?\" on the sign-in page), and tell whoever runs this installation.",
                    ),
                ],
            ),
            Self::NewDevice { deed } => (
                "A new device signed in".to_owned(),
                vec![
                    Say(format!(
                        "Somebody signed in to your account on {installation} from a device that was not used before."
                    )),
                    facts(deed),
                    say(
                        "If this was you, there is nothing to do. If not, change your password and end the other sessions under Settings, Security.",
                    ),
                ],
            ),
            Self::FactorsChanged { what, deed } => (
                "What opens your account was changed".to_owned(),
                vec![
                    Say(what.clone()),
                    facts(deed),
                    say(
                        "If this was not you, change your password, look at Settings, Security, and tell whoever runs this installation.",
                    ),
                ],
            ),
            Self::AddressChanged { to, deed } => (
                "Your address was changed".to_owned(),
                vec![
                    Say(format!(
                        "Your account on {installation} now has the address {to}. You sign in with that one."
                    )),
                    facts(deed),
                    say("If this was not you, tell whoever runs this installation at once."),
                ],
            ),
            Self::Invitation { organization, inviter, role, link, expires } => (
                format!("Join {} on {installation}", tame(organization)),
                vec![
                    Say(format!(
                        "{} asks you to join {} as {}.",
                        tame(inviter),
                        tame(organization),
                        tame(role)
                    )),
                    Press("Look at the invitation", link.clone()),
                    Say(format!("It ends {}. If you do not know who this is, do nothing.", when(*expires))),
                ],
            ),
            Self::KeyExpires { name, prefix, expires } => (
                "An API key ends soon".to_owned(),
                vec![
                    Say(format!("The API key {} ({prefix}…) stops working {}.", tame(name), when(*expires))),
                    say(
                        "Rotate it under Settings, API keys, and put the new one where the old one is used; both work while you do.",
                    ),
                ],
            ),
            Self::Digest { facts, link } => (
                format!("A week on {installation}"),
                vec![
                    say("What the last seven days brought:"),
                    Piece::Facts(facts.clone()),
                    Press("See how it runs", link.clone()),
                    say(
                        "You get this because you run the installation. OpsHub, Jobs changes when it comes, or switches it off.",
                    ),
                ],
            ),
        };
        Written { subject, pieces }
    }
}

fn facts(deed: &Deed) -> Piece {
    Piece::Facts(vec![
        ("When", when(deed.at)),
        ("Browser", tame(&deed.device)),
        ("Address", deed.address.clone()),
    ])
}

/// `22 November 2026, 12:30 UTC`
fn when(time: Time) -> String {
    time.timestamp().strftime("%-d %B %Y, %H:%M UTC").to_string()
}

/// Words that a stranger chose, as they stand in a letter of ours: one line, not too long, and nothing that a mail
/// program makes a link of. A dot between letters is enough for that (`evil.example/win`), so that each is followed by a space.
pub(super) fn tame(words: &str) -> String {
    let mut line = String::new();
    let mut letters = words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(100).peekable();
    while let Some(c) = letters.next() {
        line.push(c);
        if matches!(c, '.' | ':' | '@') && letters.peek().is_some_and(|next| !next.is_whitespace()) {
            line.push(' ');
        }
    }
    line
}
