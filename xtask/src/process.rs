//! Starting other programs: to the end with their output passed on, or in the background on a leash.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// The script that ends a program together with its starter; see its own comment.
pub(crate) const LEASH: &str = include_str!("leash.sh");

/// Which of its two outputs a program wrote a line to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// Runs a program to its end on this terminal and tells whether it succeeded.
pub(crate) fn run(command: &mut Command) -> Result<bool> {
    announce(command);
    let status = command.status().with_context(|| cannot_start(command))?;
    Ok(status.success())
}

/// As [`run`], where failing is an error that names the program.
pub(crate) fn must_run(command: &mut Command) -> Result<()> {
    if run(command)? { Ok(()) } else { bail!("failed: {}", words(command)) }
}

/// Runs a program to its end, passing each line on as it comes and showing it to `look`.
pub(crate) fn stream(command: &mut Command, mut look: impl FnMut(Stream, &str)) -> Result<ExitStatus> {
    announce(command);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| cannot_start(command))?;
    let (sender, lines) = mpsc::channel();
    let out = child.stdout.take().map(|pipe| forward(pipe, Stream::Out, sender.clone()));
    let err = child.stderr.take().map(|pipe| forward(pipe, Stream::Err, sender));
    for (stream, line) in lines {
        match stream {
            Stream::Out => println!("{line}"),
            Stream::Err => eprintln!("{line}"),
        }
        look(stream, &line);
    }
    for thread in [out, err].into_iter().flatten() {
        // A reader that panicked has printed its own message.
        let _ = thread.join();
    }
    child.wait().with_context(|| format!("lost track of: {}", words(command)))
}

/// What a program wrote on standard output; failing is an error that carries what it said on standard error.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        bail!("failed: {}\n{}", words(command), String::from_utf8_lossy(&output.stderr).trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("not UTF-8 from: {}", words(command)))
}

fn forward(
    pipe: impl Read + Send + 'static,
    stream: Stream,
    sender: mpsc::Sender<(Stream, String)>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if sender.send((stream, line)).is_err() {
                return;
            }
        }
    })
}

/// A program in the background that ends when this value is dropped, and also when this process dies.
pub(crate) struct Leashed {
    child: Child,
    lines: Receiver<String>,
    /// Where the program writes to the terminal nothing is ever sent; this end keeps the channel open, so that
    /// waiting for news takes its time all the same.
    _quiet: Option<mpsc::Sender<String>>,
    log: Option<PathBuf>,
    /// Where the leash writes the program's own id.
    pid: Option<PathBuf>,
}

/// Where a leashed program's output goes.
pub(crate) enum Output {
    Terminal,
    /// Into this file, and standard output also to [`Leashed::news`].
    Log(PathBuf),
}

/// What a leashed program did within a while.
pub(crate) enum News {
    Line(String),
    Nothing,
    Ended(ExitStatus),
}

impl Leashed {
    /// Starts `program`. `grace` is how many tenths of a second it gets to stop by itself at the end. `prepare` adds
    /// arguments, environment and folder.
    pub(crate) fn start(
        program: impl AsRef<OsStr>,
        grace: u32,
        output: Output,
        prepare: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", LEASH, "leash", &grace.to_string()]).arg(program.as_ref());
        prepare(&mut command);
        command.stdin(Stdio::piped()).process_group(0);
        let (sender, lines) = mpsc::channel();
        let Output::Log(log) = output else {
            let child = command.spawn().with_context(|| cannot_start(&command))?;
            return Ok(Self { child, lines, _quiet: Some(sender), log: None, pid: None });
        };
        let mut copy = append(&log)?;
        let pid = log.with_extension("pid");
        // What an earlier program of this name left must not be taken for this one's.
        let _ = std::fs::remove_file(&pid);
        command.env("LEASH_PID", &pid);
        command.stdout(Stdio::piped()).stderr(append(&log)?);
        let mut child = command.spawn().with_context(|| cannot_start(&command))?;
        if let Some(pipe) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    // Neither a full disk nor a reader that has seen enough may stop the program that writes.
                    let _ = writeln!(copy, "{line}");
                    let _ = sender.send(line);
                }
            });
        }
        Ok(Self { child, lines, _quiet: None, log: Some(log), pid: Some(pid) })
    }

    /// Sends a signal to the program itself, as `kill -STOP` does. Needs an [`Output::Log`].
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        let file = self.pid.as_ref().context("a program on the terminal gets its signals there")?;
        let pid = std::fs::read_to_string(file).with_context(|| format!("no {}", file.display()))?;
        capture(Command::new("kill").args([&format!("-{name}"), pid.trim()])).map(drop)
    }

    /// Waits until the program has ended by itself, or because of a signal.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        // Waiting would close the pipe first, and that means: end.
        let leash = self.child.stdin.take();
        let ended = self.child.wait().context("lost track of a program");
        self.child.stdin = leash;
        ended
    }

    /// Waits for the next line on standard output, for the program's end, or for `patience` to run out.
    pub(crate) fn news(&mut self, patience: Duration) -> Result<News> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(News::Line(line)),
            Err(RecvTimeoutError::Timeout) => Ok(self.child.try_wait()?.map_or(News::Nothing, News::Ended)),
            Err(RecvTimeoutError::Disconnected) => Ok(News::Ended(self.child.wait()?)),
        }
    }

    /// The last lines of what the program wrote, for an error message.
    pub(crate) fn last_words(&self) -> String {
        let text = self.log.as_ref().and_then(|log| std::fs::read_to_string(log).ok()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        // Closing the pipe is the signal; the wait keeps the port and the folder ours until they are free.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The first of `names` that the shell finds.
pub(crate) fn find_program(names: &[&str]) -> Option<PathBuf> {
    names.iter().find_map(|name| {
        let mut command = Command::new("sh");
        command.args(["-c", r#"command -v "$1""#, "sh", name]).stderr(Stdio::null());
        let path = capture(&mut command).ok()?;
        let path = PathBuf::from(path.trim());
        path.is_absolute().then_some(path)
    })
}

fn append(log: &Path) -> Result<File> {
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot write {}", log.display()))
}

fn announce(command: &Command) {
    eprintln!("$ {}", words(command));
}

fn cannot_start(command: &Command) -> String {
    format!("{} could not be started: is it installed?", command.get_program().to_string_lossy())
}

fn words(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for word in command.get_args() {
        text.push(' ');
        text.push_str(&word.to_string_lossy());
    }
    text
}
