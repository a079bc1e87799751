//! What was shipped, as it lies at a target: which positions follow each other without a gap, and the changes themselves.

use std::time::Duration;

use bytes::Bytes;
use engify_clients::objects::{FailureKind, Objects};
use engify_core::{Error, Result, Time};
use engify_store::journal::Change;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};

use super::segment::{self, FOLDER, LONGEST, Name, Segment, damaged};
use crate::seal::{Key, is_sealed};

/// Names that are asked for at a time: those of a day on which something changed every second. A folder is walked to its end
/// for each question.
const NAMES: usize = 100_000;

/// Segments that are fetched ahead, as the bytes that lie there: as documents they are ten times that.
const AHEAD: usize = 8;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The segments at a target, from some day on, in the order of their positions.
#[derive(Debug, Clone, Default)]
pub struct Trail {
    names: Vec<Name>,
}

/// How far a trail leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The last position that follows without a gap.
    pub position: u64,
    /// The time of the last change up to there; none where nothing follows.
    pub time: Option<Time>,
    /// Whether something lies behind it that does not follow: changes are missing in between.
    pub gap: bool,
}

impl Trail {
    /// The segments that were written since the day before this moment.
    ///
    /// # Errors
    /// How the place fails.
    pub async fn since(objects: &Objects, moment: Time) -> Result<Self> {
        let mut names = Vec::new();
        let mut after = Some(format!("{FOLDER}/{}", moment.minus(DAY).day()));
        loop {
            let page = objects.list(FOLDER, after.as_deref(), NAMES).await?;
            names.extend(page.iter().filter_map(|object| Name::parse(&object.key)));
            after = page.last().map(|object| object.key.clone());
            if page.len() < NAMES {
                break;
            }
        }
        names.sort_by_key(|name| (name.after, name.to));
        Ok(Self { names })
    }

    /// How many segments there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The last position that was shipped, whether or not the way to it is whole.
    pub fn last_position(&self) -> u64 {
        self.names.iter().map(|name| name.to).max().unwrap_or(0)
    }

    /// The segments that lead from a position onwards, each following the one before, and how far.
    pub fn from(&self, position: u64) -> (Vec<Name>, Reach) {
        let (mut way, mut reach) = (Vec::new(), Reach { position, time: None, gap: false });
        for name in &self.names {
            if name.to <= reach.position {
                continue;
            }
            if name.is_break || name.after > reach.position {
                reach.gap = true;
                break;
            }
            reach.position = name.to;
            reach.time = reach.time.max(Some(name.latest));
            way.push(name.clone());
        }
        (way, reach)
    }
}

/// The last segment at a target; none where there is none.
///
/// # Errors
/// How the place fails.
pub(crate) async fn last(objects: &Objects, now: Time) -> Result<Option<Name>> {
    // Most often it is from today or yesterday: one question. Else everything is looked through.
    for moment in [now, Time::from_millis(0)] {
        let trail = Trail::since(objects, moment).await?;
        if let Some(last) = trail.names.into_iter().max_by_key(|name| name.to) {
            return Ok(Some(last));
        }
    }
    Ok(None)
}

/// Reads one segment.
///
/// # Errors
/// `journal_damaged`, `wrong_key`; how the place fails.
pub(crate) async fn fetch(objects: &Objects, name: &Name, key: Option<&Key>) -> Result<Segment> {
    opened(name.clone(), bytes(objects, name, key).await?, key).await
}

async fn bytes(objects: &Objects, name: &Name, key: Option<&Key>) -> Result<Bytes> {
    match objects.get(&name.key(key.is_some()), LONGEST).await {
        // A key may have been set, or taken away, since.
        Err(failure) if failure.kind == FailureKind::Missing => {
            Ok(objects.get(&name.key(key.is_none()), LONGEST).await?)
        }
        read => Ok(read?),
    }
}

async fn opened(name: Name, bytes: Bytes, key: Option<&Key>) -> Result<Segment> {
    let key = key.cloned();
    let reading = tokio::task::spawn_blocking(move || segment::read(&name, &bytes, key.as_ref()));
    reading.await.map_err(Error::internal)?
}

/// The changes of these segments in order, some segments fetched ahead; each must name the one before it rightly. With `sealed`
/// each must be encrypted: whoever has no key can have made one that is not.
pub(crate) fn changes<'a>(
    objects: &'a Objects,
    way: Vec<Name>,
    key: Option<&'a Key>,
    sealed: bool,
) -> impl Stream<Item = Result<Vec<Change>>> + 'a {
    let fetched = stream::iter(way)
        .map(move |name| async move { bytes(objects, &name, key).await.map(|bytes| (name, bytes)) })
        .buffered(AHEAD)
        .and_then(move |(name, bytes)| async move {
            if sealed && !is_sealed(&bytes) {
                return Err(damaged(&name, "it is not encrypted, and the backup is"));
            }
            opened(name.clone(), bytes, key).await.map(|segment| (name, segment))
        });
    let mut before: Option<(u64, String)> = None;
    fetched.map(move |fetched| {
        let (name, segment) = fetched?;
        if let (Some((to, sha256)), Some(previous)) = (&before, &segment.header.previous)
            && previous.to == *to
            && previous.sha256 != *sha256
        {
            return Err(damaged(&name, "the segment before it was changed"));
        }
        before = Some((name.to, segment.sha256));
        Ok(segment.changes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(after: u64, to: u64, is_break: bool) -> Name {
        let at = Time::from_millis(i64::try_from(to).unwrap() * 1000);
        Name { day: at.day(), after, to, earliest: at, latest: at, is_break }
    }

    fn reach(names: &[(u64, u64, bool)], from: u64) -> (usize, u64, bool) {
        let names = names.iter().map(|&(after, to, is_break)| name(after, to, is_break)).collect();
        let (way, reach) = Trail { names }.from(from);
        (way.len(), reach.position, reach.gap)
    }

    #[test]
    fn a_way_ends_where_something_is_missing() {
        assert_eq!(reach(&[], 5), (0, 5, false));
        let whole = [(0, 4, false), (4, 9, false), (9, 10, false)];
        assert_eq!(reach(&whole, 0), (3, 10, false));
        assert_eq!(reach(&whole, 6), (2, 10, false), "it begins inside of one");
        assert_eq!(reach(&whole, 10), (0, 10, false));
        assert_eq!(reach(&[(0, 4, false), (5, 9, false)], 0), (1, 4, true));
        assert_eq!(reach(&[(0, 4, false), (4, 5, true), (5, 9, false)], 0), (1, 4, true), "a break is a gap");
        assert_eq!(reach(&[(0, 4, false), (4, 5, true), (5, 9, false)], 5), (1, 9, false));
        // Two shipped at once: what they wrote overlaps.
        assert_eq!(reach(&[(0, 4, false), (0, 6, false), (4, 8, false), (6, 7, false)], 0), (3, 8, false));
    }
}
