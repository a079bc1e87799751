//! `engify config`: faults all at once, secrets never.

use engify_core::settings::SETTINGS;

use crate::engify::Engify;

#[test]
fn every_fault_is_named_at_once() {
    let engify = Engify::new()
        .with("PORT", "eighty")
        .with("NODE_ENV", "production")
        .with("NEXTAUTH_URL", "http://engify.example.com")
        .with("MONGODB_URI", "postgres://ana:hunter2hunter2@db/engify");
    engify.write(".env", "LOG_LEVEL=loud\nthis is no setting\n");
    let said = engify.run(&["config", "check"]).ended(1);
    for name in [
        ".env line 2",
        "NEXTAUTH_SECRET",
        "NEXTAUTH_URL",
        "API_KEY_ENCRYPTION_KEY",
        "PORT",
        "MONGODB_URI",
        "LOG_LEVEL",
    ] {
        assert!(said.stdout.contains(&format!("wrong: {name}")), "{name} is missing: {said:?}");
    }
    let (code, report) = engify.report(&["config", "check", "--json"]);
    assert_eq!((code, &report["ok"]), (1, &false.into()));
    assert_eq!(report["faults"].as_array().unwrap().len(), 7, "{report:#}");
    // What would start does not, and says the same.
    let refused = engify.run(&["serve"]).fails_with("API_KEY_ENCRYPTION_KEY is required in production");
    assert!(!format!("{refused:?}{said:?}{report}").contains("hunter2"));
    assert!(!engify.path("data").exists(), "a refused start leaves nothing behind");
}

/// Every variable that the operations guide names, with values of the form that it shows.
const GUIDE: &str = "\
MONGODB_URI=mongodb+srv://username:password@cluster.mongodb.net/database
NEXTAUTH_SECRET=your-nextauth-secret-here-min-32-chars
NEXTAUTH_URL=https://engify.ai
NODE_ENV=production
NEXT_PUBLIC_APP_URL=https://engify.ai
NEXT_PUBLIC_APP_VERSION=1.0.0
NEXT_PUBLIC_ALLOW_SIGNUP=true
OPENAI_API_KEY=sk-abcdef
ANTHROPIC_API_KEY=sk-ant-abcdef
GOOGLE_API_KEY=AIabcdef
GROQ_API_KEY=gsk_abcdef
REPLICATE_API_TOKEN=r8_abcdef
SENDGRID_API_KEY=SG.abc.def
SENDGRID_FROM_EMAIL=ops@example.com
SENDGRID_FROM_NAME=Engify.ai
TWILIO_ACCOUNT_SID=AC00000000000000000000000000000000
TWILIO_AUTH_TOKEN=0123456789abcdef0123456789abcdef
TWILIO_PHONE_NUMBER=+15005550006
TWILIO_VERIFY_SERVICE_SID=VA00000000000000000000000000000000
UPSTASH_REDIS_REST_URL=https://x.upstash.io
UPSTASH_REDIS_REST_TOKEN=abc
QSTASH_URL=https://qstash.upstash.io/v2
QSTASH_TOKEN=abc
API_KEY_ENCRYPTION_KEY=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
CRON_SECRET=your-cron-secret-generate-with-openssl
ADMIN_SESSION_MAX_AGE_MINUTES=60
ADMIN_MFA_REQUIRED=true
SENTRY_DSN=https://abc@sentry.io/123
SENTRY_ORG=your-org
SENTRY_PROJECT=your-project
NEXT_PUBLIC_GA_MEASUREMENT_ID=G-ABC
";

#[test]
fn the_guides_settings_are_taken_as_they_are() {
    let engify = Engify::new();
    engify.write(".env.local", GUIDE);
    let said = engify.run(&["config", "check"]).ended(0);
    assert!(said.stdout.starts_with("note:  QSTASH_TOKEN does nothing without"), "{said:?}");
    assert!(said.stdout.ends_with("The settings are in order.\n"), "{said:?}");
}

#[test]
fn settings_in_order_are_told_so() {
    let engify = Engify::new();
    engify.write(".env.local", "OPEN_AI_KEY=sk-typo\n");
    let said = engify.run(&["config", "check"]).ended(0);
    assert!(said.stdout.contains("OPEN_AI_KEY is in .env.local and is not a setting"), "{said:?}");
    assert!(!said.stdout.contains("sk-typo"), "{said:?}");
}

#[test]
fn show_tells_what_is_in_force_and_from_where() {
    let engify = Engify::new().with("PORT", "4001");
    engify.write(".env.local", "PORT=4002\nLOG_LEVEL=debug");
    engify.write(".env", "LOG_LEVEL=warn\nENGIFY_ENV=staging");
    let (_, shown) = engify.report(&["config", "show", "--json"]);
    let of = |name: &str| {
        let one = shown.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
        (one["value"].as_str().unwrap().to_owned(), one["source"].as_str().unwrap().to_owned())
    };
    let pair = |value: &str, source: &str| (value.to_owned(), source.to_owned());
    assert_eq!(of("PORT"), pair("4001", "process"));
    assert_eq!(of("LOG_LEVEL"), pair("debug", ".env.local"));
    assert_eq!(of("ENGIFY_ENV"), pair("staging", ".env"));
    assert_eq!(of("NODE_ENV"), pair("development", "default"));
    assert_eq!(shown.as_array().unwrap().len(), SETTINGS.len());
}

#[test]
fn secrets_are_never_printed() {
    let marker = |name: &str| format!("marker-of-{}-0123456789", name.to_lowercase());
    let secrets = || SETTINGS.iter().filter(|setting| setting.secret);
    assert!(secrets().count() > 15, "the table has lost its secrets");
    let engify = secrets().fold(Engify::new(), |engify, one| engify.with(one.name, &marker(one.name)));
    for args in [
        &["config", "show"][..],
        &["config", "show", "--json"],
        &["config", "check"],
        &["config", "check", "--json"],
        &["serve"],
        &["db", "stats", "--json"],
    ] {
        let said = engify.run(args);
        let all = format!("{}{}", said.stdout, said.stderr);
        for secret in secrets() {
            assert!(!all.contains(&marker(secret.name)), "{} is shown by {args:?}", secret.name);
        }
        if args[1..].first() == Some(&"show") {
            assert_eq!(all.matches("set (…6789)").count(), secrets().count(), "{all}");
        }
    }
}
