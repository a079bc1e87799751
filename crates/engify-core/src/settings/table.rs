//! The table of settings: names as in the operations guide, what each means, its default, whether it is secret.
//! `engify config docs`, `.env.example` and `docs/settings.md` are printed from it.

/// One name that an operator may set.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// Which part of the product it belongs to.
    pub group: Group,
    /// What it is when unset, in words or as the value; empty for "not set".
    pub default: &'static str,
    /// Never shown beyond `set (…last 4)`.
    pub secret: bool,
    /// What it means, one sentence or two.
    pub meaning: &'static str,
    /// An example for `.env.example`.
    pub example: &'static str,
}

/// Parts of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Database, addresses, environment.
    Core,
    /// What browsers may know.
    Public,
    /// Providers.
    Ai,
    /// Mail and SMS.
    Mail,
    /// Cache and queue.
    Cache,
    /// Secrets and administration.
    Security,
    /// Identity providers.
    Identity,
    /// Logs, figures, errors.
    Monitoring,
    /// Backups.
    Backups,
}

impl Group {
    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Core => "Core",
            Self::Public => "Public (shown to browsers)",
            Self::Ai => "AI providers",
            Self::Mail => "Email and SMS",
            Self::Cache => "Cache and queue",
            Self::Security => "Security and encryption",
            Self::Identity => "Sign-in through others (OAuth, OpenID Connect)",
            Self::Monitoring => "Monitoring",
            Self::Backups => "Backups",
        }
    }
}

macro_rules! settings {
    ($($group:ident { $($name:literal $kind:ident [$default:literal] $meaning:literal $(e.g. $example:literal)? ;)+ })+) => {
        /// Every setting there is, by group.
        pub const SETTINGS: &[Setting] = &[$($(Setting {
            name: $name,
            group: Group::$group,
            default: $default,
            secret: settings!(@secret $kind),
            meaning: $meaning,
            example: concat!($($example)?),
        }),+),+];
    };
    (@secret secret) => { true };
    (@secret plain) => { false };
}

settings! {
    Core {
        "MONGODB_URI" secret ["embedded database in ENGIFY_DATA_DIR"] "Connection string of a MongoDB (Atlas or your own); the path names the database." e.g. "mongodb+srv://username:password@cluster.mongodb.net/engify?retryWrites=true&w=majority";
        "ENGIFY_DATA_DIR" plain ["./data"] "Folder of the embedded database, the generated secret and local backups.";
        "NEXTAUTH_SECRET" secret ["made once, kept in the data dir"] "Signs and seeds what must not be guessed; at least 32 characters. Required in production.";
        "NEXTAUTH_URL" plain ["http://localhost:3000"] "The address that people and callbacks use." e.g. "https://engify.example.com";
        "NODE_ENV" plain ["development"] "development, test or production. In production every insecure default is a refusal to start.";
        "ENGIFY_ENV" plain ["local"] "Which deployment this is: local, preview, staging or production.";
        "PORT" plain ["3000"] "The port to listen on, 1 to 65535.";
        "HOST" plain ["127.0.0.1; 0.0.0.0 in production"] "The address to listen on.";
        "ENGIFY_TRUSTED_PROXIES" plain ["0"] "How many proxies stand in front, 0 to 5; only theirs of the X-Forwarded-For entries are believed.";
        "ENGIFY_STOP_GRACE_SECONDS" plain ["5"] "After SIGTERM a server says that it is not ready and answers on for this long, 0 to 60, so that load balancers notice; Ctrl-C does not wait.";
        "ENGIFY_ASSETS_DIR" plain [""] "Serves style sheets and scripts from this folder instead of the binary; for developing.";
    }
    Public {
        "NEXT_PUBLIC_APP_URL" plain ["NEXTAUTH_URL"] "The address shown to people.";
        "NEXT_PUBLIC_APP_VERSION" plain ["the program's version"] "The version shown in health and pages.";
        "NEXT_PUBLIC_ALLOW_SIGNUP" plain ["true"] "Whether strangers may make an account: true or false.";
        "NEXT_PUBLIC_GA_MEASUREMENT_ID" plain [""] "Google Analytics id; nothing is sent while it is unset." e.g. "G-XXXXXXXXXX";
    }
    Ai {
        "OPENAI_API_KEY" secret [""] "Key of OpenAI." e.g. "sk-...";
        "OPENAI_BASE_URL" plain ["https://api.openai.com/v1"] "Another address for OpenAI: a proxy, or any server with its wire format.";
        "ANTHROPIC_API_KEY" secret [""] "Key of Anthropic." e.g. "sk-ant-...";
        "ANTHROPIC_BASE_URL" plain ["https://api.anthropic.com"] "Another address for Anthropic.";
        "GOOGLE_API_KEY" secret [""] "Key of Google Gemini." e.g. "AI...";
        "GOOGLE_BASE_URL" plain ["https://generativelanguage.googleapis.com/v1beta"] "Another address for Gemini.";
        "GROQ_API_KEY" secret [""] "Key of Groq." e.g. "gsk_...";
        "GROQ_BASE_URL" plain ["https://api.groq.com/openai/v1"] "Another address for Groq.";
        "REPLICATE_API_TOKEN" secret [""] "Token of Replicate." e.g. "r8_...";
        "REPLICATE_BASE_URL" plain ["https://api.replicate.com/v1"] "Another address for Replicate.";
        "OLLAMA_BASE_URL" plain [""] "A local model server with OpenAI's wire format; setting it switches the provider on." e.g. "http://localhost:11434/v1";
        "ENGIFY_AI_TIERS" plain ["anonymous=20/50/10000,user=100/500/100000,pro=1000/5000/1000000"] "What callers may run: requests an hour / requests a day / tokens a day, for who is not signed in, who is, and for pro and above. A tier that is left out keeps its default.";
    }
    Mail {
        "SENDGRID_API_KEY" secret [""] "Key of SendGrid. Without it and SMTP_URL, messages go to an outbox that the log and the admin pages show." e.g. "SG....";
        "SENDGRID_FROM_EMAIL" plain [""] "Sender's address, by SendGrid and by SMTP alike; with SMTP the default is engify@ and the host of NEXTAUTH_URL." e.g. "ops@example.com";
        "SENDGRID_FROM_NAME" plain ["Engify"] "Sender's name.";
        "SENDGRID_BASE_URL" plain ["https://api.sendgrid.com"] "Another address for SendGrid.";
        "SENDGRID_WEBHOOK_PUBLIC_KEY" plain [""] "Verifies what SendGrid reports of bounces: the verification key of its signed event webhook, which calls /api/webhooks/sendgrid." e.g. "MFkwEwYH...";
        "SMTP_URL" secret [""] "Your own mail server instead of SendGrid, over which it wins: smtps:// (TLS), or smtp:// (STARTTLS; without it only where there is no password, or on this machine)." e.g. "smtps://user:password@mail.example.com:465";
        "TWILIO_ACCOUNT_SID" plain [""] "Account of Twilio." e.g. "AC...";
        "TWILIO_AUTH_TOKEN" secret [""] "Token of Twilio.";
        "TWILIO_PHONE_NUMBER" plain [""] "Sender's number, for codes where there is no Verify service." e.g. "+15005550006";
        "TWILIO_VERIFY_SERVICE_SID" plain [""] "Verify service of Twilio, which makes and checks codes." e.g. "VA...";
        "TWILIO_BASE_URL" plain ["https://verify.twilio.com"] "Another address for Twilio: a proxy that serves Verify below /verify/v2 and messages below /2010-04-01.";
    }
    Cache {
        "UPSTASH_REDIS_REST_URL" plain [""] "Redis over Upstash's REST." e.g. "https://your-redis.upstash.io";
        "UPSTASH_REDIS_REST_TOKEN" secret [""] "Its token.";
        "REDIS_URL" secret [""] "Redis over its own protocol." e.g. "rediss://default:password@redis.example.com:6379";
        "REDIS_ENABLED" plain ["true"] "false turns Redis and Upstash off.";
        "QSTASH_URL" plain ["https://qstash.upstash.io/v2"] "Address of QStash.";
        "QSTASH_TOKEN" secret [""] "Token of QStash; setting it sends jobs through it.";
        "QSTASH_CURRENT_SIGNING_KEY" secret [""] "Verifies callbacks.";
        "QSTASH_NEXT_SIGNING_KEY" secret [""] "Verifies callbacks after a rotation.";
    }
    Security {
        "API_KEY_ENCRYPTION_KEY" secret [""] "Encrypts provider keys at rest: 32 bytes as 64 hex digits (openssl rand -hex 32). Required in production.";
        "API_KEY_ENCRYPTION_KEY_PREVIOUS" secret [""] "Further keys that open what was encrypted with them and encrypt nothing, separated by commas: for a rotation (docs/keys-and-secrets.md).";
        "CRON_SECRET" secret [""] "Bearer token of /api/cron/{job}; unset closes those routes.";
        "ADMIN_SESSION_MAX_AGE_MINUTES" plain ["60"] "Absolute length of an administrator's session, 1 to 1440.";
        "ADMIN_MFA_REQUIRED" plain ["true in production, else false"] "Whether administrators must have a second factor.";
        "AUDIT_RETENTION_DAYS" plain ["365"] "How many days lines of the audit log are kept where an organization says nothing else, 0 to 36500; 0 is for ever.";
        "AUDIT_FORMER_SECRET" secret [""] "The NEXTAUTH_SECRET before the present one, so that audit lines that were sealed under it can still be proven.";
        "SECURITY_CONTACT" plain [""] "Where to report a weakness, shown in /.well-known/security.txt: a mail address or an https address." e.g. "security@example.com";
    }
    Identity {
        "GOOGLE_CLIENT_ID" plain [""] "OAuth client of Google; with its secret it switches sign-in with Google on." e.g. "1234567890-abc.apps.googleusercontent.com";
        "GOOGLE_CLIENT_SECRET" secret [""] "Its secret.";
        "GOOGLE_ISSUER" plain ["https://accounts.google.com"] "Another issuer in Google's place; for tests.";
        "GITHUB_CLIENT_ID" plain [""] "OAuth app of GitHub; with its secret it switches sign-in with GitHub on." e.g. "Iv1....";
        "GITHUB_CLIENT_SECRET" secret [""] "Its secret.";
        "GITHUB_BASE_URL" plain ["https://github.com"] "Another address for GitHub: a GitHub Enterprise Server." e.g. "https://github.example.com";
        "GITHUB_API_BASE_URL" plain ["https://api.github.com; /api/v3 below another GITHUB_BASE_URL"] "Another address for GitHub's API.";
        "OIDC_ISSUER" plain [""] "An OpenID Connect issuer (Keycloak, Entra ID, Okta, …), exactly as its discovery document writes it." e.g. "https://login.example.com/realms/acme";
        "OIDC_CLIENT_ID" plain [""] "What the issuer calls Engify.";
        "OIDC_CLIENT_SECRET" secret [""] "The client's secret at the issuer.";
        "OIDC_NAME" plain ["Single sign-on"] "The word on the button." e.g. "Acme";
        "OIDC_SCOPES" plain ["openid email profile"] "What the issuer is asked for; some need one more for groups." e.g. "openid email profile groups";
        "OIDC_GROUPS_CLAIM" plain ["groups"] "The claim that lists a person's groups; dots lead into nested ones." e.g. "realm_access.roles";
        "OIDC_TRUST_EMAIL" plain ["false"] "Whether an address counts as proven where the issuer sends no email_verified. Only for an issuer whose administrators alone set addresses.";
        "OIDC_ROLE_MAP" plain [""] "Which role a group gives, at each sign-in through OIDC_ISSUER; of several the highest. super_admin is given only where it stands here." e.g. "prompt-leads=org_admin,staff=org_member";
        "OIDC_ORGANIZATION_MAP" plain [""] "Which organization a group of the issuer, or the domain of a proven address, belongs to; the first that fits counts." e.g. "staff=acme,example.com=acme";
        "OAUTH_ALLOWED_DOMAINS" plain [""] "Only addresses of these domains may come in through a provider." e.g. "example.com,example.org";
    }
    Monitoring {
        "SENTRY_DSN" secret [""] "Where errors are sent." e.g. "https://key@sentry.io/1";
        "SENTRY_ORG" plain [""] "Organization in Sentry, for links.";
        "SENTRY_PROJECT" plain [""] "Project in Sentry, for links.";
        "OTEL_EXPORTER_OTLP_ENDPOINT" plain [""] "Where traces are sent." e.g. "http://localhost:4318";
        "LOG_LEVEL" plain ["info"] "error, warn, info or debug.";
        "DEBUG" plain [""] "* or a comma-separated list of areas that log at debug: http, store, ai, auth, search, jobs.";
        "METRICS_TOKEN" secret [""] "Bearer token of /metrics; without it only this machine and administrators may read them.";
    }
    Backups {
        "BACKUP_TARGET" plain ["file: in the data dir"] "Where backups and the shipped journal go: file:path or s3://bucket/prefix." e.g. "s3://bucket/prefix";
        "BACKUP_REPLICA_TARGET" plain [""] "A second place that gets the same." e.g. "s3://other-bucket/prefix";
        "BACKUP_ENCRYPTION_KEY" secret [""] "Encrypts backups and the shipped journal: 32 bytes as hex, or an age identity. Keep it elsewhere as well: without it nothing is restored.";
        "ENGIFY_BACKUP_KEEP_DAYS" plain ["snapshot=30,daily=30,weekly=90,manual=90"] "How long backups are kept, in days, once a newer one was proven; 0 is for ever." e.g. "weekly=365";
        "ENGIFY_JOURNAL_KEEP_DAYS" plain ["7"] "To how many days ago any moment can be restored, 1 to 365: so long the shipped journal is kept.";
        "ENGIFY_RECOVERY_GOALS" plain ["rto=3600,rpo=21600,proof=35"] "What drills are measured against: recovery time and recovery point in seconds, and after how many days without a drill of a restore health says so." e.g. "rto=900,rpo=60";
        "AWS_ACCESS_KEY_ID" plain [""] "Credentials for S3.";
        "AWS_SECRET_ACCESS_KEY" secret [""] "Credentials for S3.";
        "AWS_SESSION_TOKEN" secret [""] "Beside credentials that live for hours only.";
        "AWS_REGION" plain ["us-east-1"] "Region of S3." e.g. "eu-central-1";
        "AWS_ENDPOINT_URL" plain [""] "Another address for S3: MinIO and the like." e.g. "https://minio.example.com";
        "AWS_SERVER_SIDE_ENCRYPTION" plain [""] "What S3 encrypts backups with on its side: AES256 or aws:kms." e.g. "AES256";
        "AWS_SSE_KMS_KEY_ID" plain [""] "The id of the key, for aws:kms.";
    }
}
