//! What a server says of itself, out of the text of `INFO`.

use serde::Serialize;

/// What a server says of itself; what it does not say is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// Its version, `7.0.15`.
    pub version: Option<String>,
    /// `master`, or `slave` for a replica.
    pub role: Option<String>,
    /// What it does when it is full: `noeviction`, `allkeys-lru`, ….
    pub memory_policy: Option<String>,
    /// Bytes in use.
    pub used_memory: Option<u64>,
    /// Bytes it may use; none where there is no bound.
    pub max_memory: Option<u64>,
    /// Keys it dropped because it was full, since it started.
    pub evicted_keys: Option<u64>,
}

impl Info {
    /// Reads the lines `name:value`.
    pub(super) fn read(text: &str) -> Self {
        let find = |name: &str| {
            text.lines()
                .find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
                .map(str::to_owned)
        };
        let number = |name: &str| find(name)?.parse::<u64>().ok();
        Self {
            version: find("redis_version"),
            role: find("role"),
            memory_policy: find("maxmemory_policy"),
            used_memory: number("used_memory"),
            max_memory: number("maxmemory").filter(|bytes| *bytes > 0),
            evicted_keys: number("evicted_keys"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_it_knows_and_no_longer_names() {
        let info = Info::read(
            "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nused_memory:1048576\r\nused_memory_human:1.00M\r\n\
             maxmemory:0\r\nmaxmemory_policy:noeviction\r\nrole:master\r\n",
        );
        let expected = Info {
            version: Some("7.0.15".to_owned()),
            role: Some("master".to_owned()),
            memory_policy: Some("noeviction".to_owned()),
            used_memory: Some(1_048_576),
            ..Info::default()
        };
        assert_eq!(info, expected);
        assert_eq!(Info::read("HTTP/1.1 200 OK"), Info::default());
    }
}
