//! Redis by its own protocol: one connection that all calls share, made when it is first needed and replaced when it
//! fails.
//!
//! The connection is ours to replace, not the library's manager's: that one keeps a connection that has fallen silent,
//! and would wait by a clock of its own beside the circuit's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use engify_core::settings::RedisServer;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{AsyncConnectionConfig, ErrorKind, IntoConnectionInfo as _, RedisError, Value};
use tokio::time::{Instant, timeout_at};

use super::command::{Command, Word};
use super::guard::Guard;
use super::reply::Reply;
use super::{Failure, FailureKind, Place};
use crate::http::{cleaned, install_tls};

/// Calls that may wait for the connection's writer at once.
const QUEUE: usize = 1024;

/// A Redis server. Clones share the connection and the circuit.
#[derive(Debug, Clone)]
pub(super) struct Redis(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: redis::Client,
    guard: Guard,
    /// How long making a connection may take.
    patience: Duration,
    dialled: Mutex<Dialled>,
}

/// The connection that is there or on its way, and its number, so that one who fails on an older one leaves it alone.
#[derive(Default)]
struct Dialled {
    number: u64,
    connection: Option<Dialling>,
}

type Dialling = Shared<BoxFuture<'static, Result<MultiplexedConnection, Failure>>>;

impl Redis {
    /// A server that nobody has called yet.
    pub(super) fn new(server: &RedisServer, guard: Guard, patience: Duration) -> Result<Self, String> {
        install_tls();
        let client = client(server).map_err(|fault| cleaned(&fault.to_string()))?;
        Ok(Self(Arc::new(Inner { client, guard, patience, dialled: Mutex::default() })))
    }

    pub(super) fn guard(&self) -> &Guard {
        &self.0.guard
    }

    pub(super) fn client(&self) -> &redis::Client {
        &self.0.client
    }

    /// How long making a connection may take.
    pub(super) fn patience(&self) -> Duration {
        self.0.patience
    }

    /// Asks; several are done all or none.
    pub(super) async fn run(&self, commands: &[Command], until: Instant) -> Result<Vec<Reply>, Failure> {
        let first = self.attempt(commands, until).await;
        match first {
            // A server that restarted, or that closed an idle connection, is asked again on a new one.
            Err((Failure { kind: FailureKind::Refused, .. }, true))
                if commands.iter().all(Command::may_repeat) =>
            {
                self.attempt(commands, until).await
            }
            other => other,
        }
        .map_err(|(failure, _)| failure)
    }

    /// Asks once. A failure says whether a connection that was there before has broken.
    async fn attempt(&self, commands: &[Command], until: Instant) -> Result<Vec<Reply>, (Failure, bool)> {
        let place = self.0.guard.place();
        let (number, dialling) = self.dial();
        let used = dialling.peek().is_some();
        let connected = match timeout_at(until, dialling).await {
            Ok(connected) => connected,
            // It goes on without us, and serves whoever asks next.
            Err(_) => return Err((Failure::silent(place), false)),
        };
        let answered = match connected {
            Err(failure) => Err(failure),
            Ok(mut connection) => timeout_at(until, ask(&mut connection, commands, place))
                .await
                .unwrap_or_else(|_| Err(Failure::silent(place))),
        };
        answered.map_err(|failure| {
            if !failure.kind.concerns_writes() {
                self.hang_up(number);
            }
            (failure, used)
        })
    }

    /// The connection, or the one being made.
    fn dial(&self) -> (u64, Dialling) {
        let mut dialled = self.0.dialled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = &dialled.connection {
            return (dialled.number, connection.clone());
        }
        let dialling = connect(self.0.client.clone(), self.0.guard.place().clone(), self.0.patience);
        let dialling = dialling.boxed().shared();
        // It must go on when the one who needed it first gives up.
        tokio::spawn(dialling.clone().map(drop));
        dialled.number += 1;
        dialled.connection = Some(dialling.clone());
        (dialled.number, dialling)
    }

    /// Lets the next call make a new connection, unless somebody has already.
    fn hang_up(&self, number: u64) {
        let mut dialled = self.0.dialled.lock().unwrap_or_else(PoisonError::into_inner);
        if dialled.number == number {
            dialled.connection = None;
        }
    }
}

impl std::fmt::Debug for Dialled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dialled({})", self.number)
    }
}

fn client(server: &RedisServer) -> Result<redis::Client, RedisError> {
    let RedisServer { host, port, tls, user, password, database } = server;
    let addr = if *tls {
        redis::ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None }
    } else {
        redis::ConnectionAddr::Tcp(host.clone(), *port)
    };
    let mut login = redis::RedisConnectionInfo::default()
        .set_db(i64::from(*database))
        .set_lib_name("engify", env!("CARGO_PKG_VERSION"));
    if let Some(user) = user {
        login = login.set_username(user);
    }
    if let Some(password) = password {
        login = login.set_password(password.reveal());
    }
    let info = addr.into_connection_info()?;
    let tcp = info.tcp_settings().clone().set_nodelay(true);
    redis::Client::open(info.set_redis_settings(login).set_tcp_settings(tcp))
}

async fn connect(
    client: redis::Client,
    place: Place,
    patience: Duration,
) -> Result<MultiplexedConnection, Failure> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(patience))
        // Each call brings its own deadline.
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUE);
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .map_err(|fault| failure(&place, &fault))
}

/// One exchange, and a second one where the server has forgotten the script.
async fn ask(
    connection: &mut MultiplexedConnection,
    commands: &[Command],
    place: &Place,
) -> Result<Vec<Reply>, Failure> {
    let [command] = commands else {
        let mut transaction = redis::pipe();
        transaction.atomic();
        for command in commands {
            transaction.add_command(packed(command.words()));
        }
        let done: Value =
            transaction.query_async(connection).await.map_err(|fault| failure(place, &fault))?;
        return match reply(done) {
            Reply::List(replies) => Ok(replies),
            _ => Err(Failure::garbage(place, "answered a transaction with something else")),
        };
    };
    let mut answer = exchange(connection, command.words(), place).await?;
    if matches!(&answer, Reply::Refusal(said) if said.starts_with("NOSCRIPT")) {
        answer = exchange(connection, command.words_in_full(), place).await?;
    }
    Ok(vec![answer])
}

async fn exchange(
    connection: &mut MultiplexedConnection,
    words: Vec<Word>,
    place: &Place,
) -> Result<Reply, Failure> {
    let answer = connection.req_packed_command(&packed(words)).await;
    answer.map(reply).map_err(|fault| failure(place, &fault))
}

fn packed(words: Vec<Word>) -> redis::Cmd {
    let mut cmd = redis::Cmd::new();
    for word in &words {
        match word {
            Word::Text(text) => cmd.arg(text),
            Word::Value(value) => cmd.arg(value.as_ref()),
        };
    }
    cmd
}

fn reply(value: Value) -> Reply {
    match value {
        Value::Nil => Reply::Nothing,
        Value::Okay => Reply::Done,
        Value::Int(count) => Reply::Count(count),
        Value::Boolean(yes) => Reply::Count(yes.into()),
        Value::BulkString(bytes) => Reply::Bytes(bytes.into()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Reply::Bytes(Bytes::from(text)),
        Value::Array(values) | Value::Set(values) => Reply::List(values.into_iter().map(reply).collect()),
        Value::ServerError(error) => {
            Reply::Refusal(format!("{} {}", error.code(), error.details().unwrap_or_default()))
        }
        // Nothing that we ask is answered with any of these.
        _ => Reply::List(Vec::new()),
    }
}

/// What a failure of the library's is for us.
pub(super) fn failure(place: &Place, fault: &RedisError) -> Failure {
    // A transaction that was given up says so; why, say the commands in it.
    let said = fault.clone().into_server_errors();
    if let Some((_, error)) = said.as_deref().and_then(<[_]>::first) {
        return Failure::said(place, &format!("{} {}", error.code(), error.details().unwrap_or_default()));
    }
    let detail = cleaned(&fault.to_string());
    match fault.kind() {
        ErrorKind::AuthenticationFailed => {
            Failure::new(FailureKind::Auth, place, "does not accept the user and password")
        }
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType | ErrorKind::RESP3NotSupported => {
            Failure::garbage(place, &format!("does not speak Redis' protocol ({detail})"))
        }
        _ if fault.is_timeout() => Failure::silent(place),
        _ if fault.is_connection_dropped() && !fault.is_connection_refusal() => {
            Failure::new(FailureKind::Refused, place, &format!("broke the connection ({detail})"))
        }
        _ => Failure::new(FailureKind::Refused, place, &format!("cannot be reached ({detail})")),
    }
}
