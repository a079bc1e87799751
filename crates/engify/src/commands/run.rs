//! `engify run`: a prompt of the library on a provider. The answer goes to stdout, the figures to stderr.

use std::collections::BTreeMap;
use std::io::Read;

use engify_app::Ctx;
use engify_app::ai::{self, Answer, Ask, Frame, dollars};
use engify_core::Error;
use engify_core::error::{self, Faults};
use futures_util::StreamExt;

use super::with_library;
use crate::cli::Run;
use crate::environment::Environment;
use crate::printer;
use crate::stop::{Ended, Stop, Verdict};

/// The largest file that fills a variable: no value is longer.
const VALUE_BYTES: u64 = 4 * 400_000;

/// Runs a prompt.
pub(super) async fn run(environment: &Environment, options: Run) -> Ended {
    let stream = !options.no_stream && !options.report.json;
    let json = options.report.json;
    let ask = ask(options)?;
    with_library(
        environment,
        async |ctx| if stream { aloud(ctx, ask).await } else { whole(ctx, ask, json).await },
    )
    .await
}

/// Prints words as they come.
async fn aloud(ctx: &Ctx, ask: Ask) -> Ended {
    let mut frames = ai::stream(ctx, ask).await?.0;
    let mut at_line_start = true;
    loop {
        let frame = tokio::select! {
            frame = frames.next() => frame,
            // Dropping the frames tells the provider to stop; what came is in the history.
            _ = tokio::signal::ctrl_c() => return Err(Stop::Interrupted),
        };
        match frame {
            Some(Frame::Delta(text)) => {
                printer::words(&text)?;
                at_line_start = text.ends_with('\n');
            }
            Some(Frame::Done(answer)) => {
                end_line(at_line_start)?;
                figures(&answer);
                return Ok(Verdict::Done);
            }
            Some(Frame::Failed(fault)) => {
                end_line(at_line_start)?;
                return Err(fault.into());
            }
            None => return Err(Error::internal("the stream ended without an end").into()),
        }
    }
}

/// Waits for the whole answer.
async fn whole(ctx: &Ctx, ask: Ask, json: bool) -> Ended {
    let (answer, _) = tokio::select! {
        answer = ai::execute(ctx, ask) => answer?,
        _ = tokio::signal::ctrl_c() => return Err(Stop::Interrupted),
    };
    if json {
        printer::json(&answer)?;
    } else {
        printer::words(&answer.response)?;
        end_line(answer.response.ends_with('\n'))?;
        figures(&answer);
    }
    Ok(Verdict::Done)
}

fn end_line(ended: bool) -> printer::Printed {
    if ended { Ok(()) } else { printer::raw("\n") }
}

/// What it took, for the person at the terminal.
fn figures(answer: &Answer) {
    let cost = match &answer.cost {
        Some(cost) if answer.dry_run => format!("would cost {} before the answer", dollars(cost.total)),
        Some(cost) => dollars(cost.total),
        None => "cost unknown".to_owned(),
    };
    let first = answer
        .first_token_latency
        .map(|millis| format!(" (first word {})", printer::duration(millis)))
        .unwrap_or_default();
    let counted = if answer.usage.estimated { ", counted here" } else { "" };
    printer::talk(format_args!(
        "{} {} | {}{first} | {} + {} tokens{counted} | {cost}",
        answer.provider,
        answer.model,
        printer::duration(answer.latency),
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
    ));
    if answer.finish == "length" {
        printer::talk("note: the answer was cut at the limit of tokens; --max-tokens raises it");
    }
}

/// What is asked for, with the files read.
fn ask(options: Run) -> Result<Ask, Stop> {
    let mut faults = Faults::default();
    let mut variables = BTreeMap::new();
    for (name, value) in options.vars {
        put(&mut variables, &mut faults, name, value);
    }
    for (name, path) in options.var_files {
        let text = read(&path).map_err(|issue| format!("{path} {issue}"));
        if let Some(text) = faults.take(&format!("variables.{name}"), text) {
            put(&mut variables, &mut faults, name, text);
        }
    }
    faults.check()?;
    Ok(Ask {
        prompt_slug: Some(options.slug),
        variables,
        provider: options.provider,
        model: options.model,
        system_prompt: options.system,
        temperature: options.temperature,
        max_tokens: options.max_tokens,
        ..Ask::default()
    })
}

fn put(variables: &mut BTreeMap<String, String>, faults: &mut Faults, name: String, value: String) {
    if variables.contains_key(&name) {
        return faults.push(format!("variables.{name}"), "is given twice");
    }
    variables.insert(name, value);
}

fn read(path: &str) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {}", error::why(&error));
    let mut bytes = Vec::new();
    let read = if path == "-" {
        std::io::stdin().lock().take(VALUE_BYTES + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(VALUE_BYTES + 1).read_to_end(&mut bytes))
    };
    if read.map_err(cannot)? as u64 > VALUE_BYTES {
        return Err("is larger than 1.6 MB, and no variable takes that much".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8; save it as UTF-8".to_owned())
}
