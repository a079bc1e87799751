//! `engify admin`: making administrators, looking at accounts.

use std::io::{BufRead, IsTerminal, Read};

use engify_app::accounts::SignUp;
use engify_app::{Ctx, factors, setup};
use engify_core::account::User;
use engify_core::{Error, Kind, Secret};
use inquire::{InquireError, Password, PasswordDisplayMode, Text};
use serde_json::json;

use super::with_app;
use crate::cli::{Admin, Report, Setup};
use crate::environment::Environment;
use crate::printer;
use crate::stop::{Ended, Stop, Verdict};

/// More than any password has.
const PASSWORD_BYTES: u64 = 4096;

/// Runs one of the `admin` commands.
pub(super) async fn run(environment: &Environment, command: Admin) -> Ended {
    match command {
        Admin::Setup(options) => {
            let form = form(&options)?;
            with_app(environment, async |ctx| make(ctx, form, options.report).await).await
        }
        Admin::CheckUser { email, report } => {
            with_app(environment, async |ctx| check(ctx, &email, report).await).await
        }
        Admin::ResetMfa { email, yes, report } => {
            with_app(environment, async |ctx| reset_mfa(ctx, &email, yes, report).await).await
        }
    }
}

async fn make(ctx: &Ctx, form: SignUp, report: Report) -> Ended {
    let (user, created) = setup::admin(ctx, form).await?;
    if report.json {
        let account = json!({
            "id": user.id, "email": user.email, "name": user.name, "role": user.role, "created": created,
        });
        printer::json(&account)?;
    } else if created {
        printer::line(format_args!("Made the super admin {} <{}>.", user.name, user.email))?;
    } else {
        printer::line(format_args!(
            "There was an account {}: it is a super admin now, and has the new name and password.",
            user.email
        ))?;
    }
    Ok(Verdict::Done)
}

async fn check(ctx: &Ctx, email: &str, report: Report) -> Ended {
    match setup::check_user(ctx, email).await {
        Ok(user) => tell(&user, report),
        Err(fault) if fault.kind() == Kind::NotFound => {
            if report.json {
                printer::json(&json!({ "found": false, "email": email }))?;
            } else {
                printer::line(format_args!("There is no account {email}."))?;
            }
            Ok(Verdict::Wanting)
        }
        Err(fault) => Err(fault.into()),
    }
}

fn tell(user: &User, report: Report) -> Ended {
    if report.json {
        let account = json!({
            "found": true,
            "id": user.id,
            "email": user.email,
            "name": user.name,
            "role": user.role,
            "organizationId": user.organization_id,
            "emailVerifiedAt": user.email_verified_at,
            "disabledAt": user.disabled_at,
            "secondFactors": user.factors,
            "lastSignInAt": user.last_sign_in_at,
            "createdAt": user.created_at,
            "permissions": user.role.permissions().map(|permission| permission.as_str()).collect::<Vec<_>>(),
        });
        printer::json(&account)?;
        return Ok(Verdict::Done);
    }
    let or = |time: Option<engify_core::Time>, none: &str| {
        time.map_or_else(|| none.to_owned(), |time| time.to_string())
    };
    let rows = [
        ("email", user.email.to_string()),
        ("name", user.name.clone()),
        ("role", user.role.to_string()),
        ("id", user.id.to_string()),
        (
            "organization",
            user.organization_id.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string),
        ),
        ("address proven", or(user.email_verified_at, "no")),
        ("second factors", names(user)),
        ("switched off", or(user.disabled_at, "no")),
        ("last sign-in", or(user.last_sign_in_at, "never")),
        ("made", user.created_at.to_string()),
    ];
    printer::table(["field", "value"], rows.map(|(field, value)| [field.to_owned(), value]))?;
    Ok(Verdict::Done)
}

/// Prints what would go, and removes it where that was asked for.
async fn reset_mfa(ctx: &Ctx, email: &str, yes: bool, report: Report) -> Ended {
    let user = setup::check_user(ctx, email).await?;
    let ended = if yes { Some(factors::reset(ctx, user.id.as_str()).await?) } else { None };
    let verdict = if yes { Verdict::Done } else { Verdict::Wanting };
    if report.json {
        let done = json!({
            "email": user.email, "secondFactors": user.factors, "reset": yes, "sessionsEnded": ended,
        });
        printer::json(&done)?;
        return Ok(verdict);
    }
    let factors = names(&user);
    match ended {
        Some(ended) => printer::line(format_args!(
            "Removed the second factors of {} ({factors}) and ended {ended} sessions. The password alone opens the account now.",
            user.email
        ))?,
        None => printer::line(format_args!(
            "This would remove the second factors of {} ({factors}) and their recovery codes, and end all their sessions: the \
             password alone would open the account. Make sure that it is they who ask, then add --yes.",
            user.email
        ))?,
    }
    Ok(verdict)
}

/// The second factors of somebody in a line.
fn names(user: &User) -> String {
    let names: Vec<&str> = user.factors.iter().map(|factor| factor.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The form, from options, stdin and the keyboard.
fn form(options: &Setup) -> Result<SignUp, Stop> {
    let missing: Vec<&str> = [
        options.email.is_none().then_some("--email"),
        options.name.is_none().then_some("--name"),
        (!options.password_stdin).then_some("--password-stdin"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let keyboard = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !missing.is_empty() && !keyboard {
        let message = format!("Nobody is at the keyboard to be asked. Give {} as well.", missing.join(", "));
        return Err(Error::new(Kind::Invalid, "not_interactive", message).into());
    }
    let ask = |given: &Option<String>, question: &str| match given {
        Some(given) => Ok(given.clone()),
        None => Text::new(question).prompt().map_err(unasked),
    };
    let email = ask(&options.email, "Mail address:")?;
    let name = ask(&options.name, "Name:")?;
    let password = if options.password_stdin { read_password()? } else { ask_password()? };
    Ok(SignUp { email, password, name })
}

fn ask_password() -> Result<Secret<String>, Stop> {
    Password::new("Password:")
        .with_display_mode(PasswordDisplayMode::Masked)
        .with_custom_confirmation_message("Again:")
        .with_custom_confirmation_error_message("The two are not the same.")
        .with_help_message("At least 10 characters; a sentence is best")
        .prompt()
        .map(Secret::new)
        .map_err(unasked)
}

fn read_password() -> Result<Secret<String>, Stop> {
    let mut line = String::new();
    let read = std::io::stdin().lock().take(PASSWORD_BYTES).read_line(&mut line);
    read.map_err(|error| {
        let message = format!(
            "The password cannot be read from stdin ({}). Send it as one line of UTF-8.",
            error.kind()
        );
        Error::new(Kind::Invalid, "unreadable", message)
    })?;
    let password = Secret::new(line.trim_end_matches(['\n', '\r']).to_owned());
    if password.reveal().is_empty() {
        let message = "There is no password on stdin. Send it as the first line: printf '%s\\n' \"$PASSWORD\" | engify admin setup …";
        return Err(Error::new(Kind::Invalid, "unreadable", message).into());
    }
    Ok(password)
}

fn unasked(error: InquireError) -> Stop {
    match error {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => Stop::Interrupted,
        error => Stop::Fault(Error::internal(error)),
    }
}
