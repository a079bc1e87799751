//! What shared memory answers, for fuzzers. See [`crate::fuzzing`].

use bytes::Bytes;

use super::Place;
use super::command::Command;
use super::info::Info;
use super::reply::Reply;
use super::upstash::{Several, reply};

/// An answer of Upstash's REST to each kind of command, read as each thing that can be asked for.
pub fn kv_reply(bytes: &[u8]) {
    let place = Place { kind: "upstash", address: "https://kv.example.com".to_owned(), tls: true };
    let key = || "k".to_owned();
    let commands = [
        Command::Get { key: key() },
        Command::Set { key: key(), value: Bytes::from_static(b"v"), ttl: 1 },
        Command::Scan { prefix: key(), cursor: "0".to_owned() },
        Command::Ping,
    ];
    for command in &commands {
        let Ok(several) = serde_json::from_slice::<Several>(bytes) else { return };
        let answers = match several {
            Several::One(answer) => vec![answer],
            Several::Many(answers) => answers,
        };
        for answer in answers {
            let said: Reply = reply(command, answer);
            let text = said.clone().text(&place).unwrap_or_default();
            let _ = Info::read(&text);
            let failures = [
                said.clone().value(&place).err(),
                said.clone().done(&place).err(),
                said.clone().count(&place).err(),
                said.page(&place).err(),
            ];
            for failure in failures.into_iter().flatten() {
                assert!(!failure.to_string().contains(char::is_control), "{failure}");
            }
        }
    }
}
