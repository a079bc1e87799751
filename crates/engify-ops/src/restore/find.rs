//! From which backup, and by which way, a moment is reached.

use engify_clients::objects::Objects;
use engify_core::backup::Backup;
use engify_core::ids::BackupId;
use engify_core::settings::ObjectPlace;
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result, Time};
use engify_store::{LIMIT, Store};

use super::{Live, Moment, Site, Wish, dump};
use crate::backup::{self, Archive, Listed, Located, located};
use crate::ship::{self, Name, Shipper, Trail};

/// No target leads to the moment.
const UNREACHABLE: &str = "moment_unreachable";

/// What a restore begins with.
#[derive(Debug)]
pub(super) enum Base {
    /// A backup.
    Backup { archive: Box<Archive>, listed: Box<Listed> },
    /// A folder of `mongodump`.
    Dump(Objects),
}

/// Where the changes behind the backup come from.
#[derive(Debug)]
pub(super) enum Way {
    /// There are none.
    Nothing,
    /// Segments at a target, and how far they are taken.
    Shipped { names: Vec<Name>, until: u64 },
    /// The live database's own journal.
    Database { until: u64 },
}

/// The way to a moment.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) base: Base,
    pub(super) objects: Objects,
    pub(super) way: Way,
    /// Whether the live database took the backup itself: then its journal goes on by itself.
    ours: bool,
}

impl Found {
    pub(super) fn id(&self) -> Option<BackupId> {
        self.listed().map(|listed| listed.id.clone())
    }

    pub(super) fn from(&self) -> String {
        self.objects.place().to_string()
    }

    pub(super) fn taken_at(&self) -> Option<Time> {
        self.listed().map(|listed| listed.created_at)
    }

    pub(super) fn is_verified(&self) -> bool {
        self.listed().is_some_and(Listed::is_verified)
    }

    pub(super) fn documents(&self) -> u64 {
        self.listed().map_or(0, |listed| listed.documents)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.listed().map_or(0, |listed| listed.bytes)
    }

    pub(super) fn segments(&self) -> usize {
        if let Way::Shipped { names, .. } = &self.way { names.len() } else { 0 }
    }

    pub(super) fn journal(&self) -> &'static str {
        match self.way {
            Way::Nothing => "none",
            Way::Shipped { .. } => "shipped",
            Way::Database { .. } => "database",
        }
    }

    /// The position that is restored.
    pub(super) fn until(&self) -> Option<u64> {
        match self.way {
            Way::Nothing => self.listed().map(|listed| listed.position),
            Way::Shipped { until, .. } | Way::Database { until } => Some(until),
        }
    }

    /// How many positions lie between the backup and the moment.
    pub(super) fn changes(&self) -> u64 {
        let from = self.listed().map_or(0, |listed| listed.position);
        self.until().map_or(0, |until| until.saturating_sub(from))
    }

    fn listed(&self) -> Option<&Listed> {
        match &self.base {
            Base::Backup { listed, .. } => Some(listed),
            Base::Dump(_) => None,
        }
    }
}

/// Finds the way.
pub(super) async fn find(site: &Site<'_>, wish: &Wish, live: &Live) -> Result<Found> {
    let now = site.clock.now();
    if matches!(wish.moment, Moment::Time(time) if time > now) {
        return Err(Error::field("at", "lies in the future"));
    }
    let named = wish.from.as_deref().map(located).transpose()?;
    if let Some(dump) = named.as_ref().map(dump::named).transpose()?.flatten() {
        if wish.moment != Moment::Newest {
            return Err(Error::field("at", "cannot be reached from a dump of mongodump: it has no journal"));
        }
        return Ok(Found { objects: dump.clone(), base: Base::Dump(dump), way: Way::Nothing, ours: false });
    }
    let Located { target, id } = named.unwrap_or(Located { target: None, id: None });
    let search = Search { site, live, id: id.as_ref(), moment: wish.moment, own: target.is_none(), now };
    if let Some(place) = target {
        return Box::pin(search.at(&site.target.at(&place)?)).await;
    }
    if let Live::Open(store) = live
        && id.is_none()
        && wish.moment == Moment::Newest
        && !super::place::is_fresh(store).await?
    {
        return Err(Error::invalid(
            "The database is there as it is. Say which backup (--from ID) or which moment (--at TIME) is to come back.",
        ));
    }
    search.at_either().await
}

/// What is looked for at a target.
struct Search<'a> {
    site: &'a Site<'a>,
    live: &'a Live,
    id: Option<&'a BackupId>,
    moment: Moment,
    /// Whether the targets are those of the settings.
    own: bool,
    now: Time,
}

impl Search<'_> {
    /// At the first target; at the second one where the first is lost, or the second leads further.
    async fn at_either(&self) -> Result<Found> {
        let first = Box::pin(self.at(self.site.target)).await;
        let Some(replica) = self.site.replica.filter(|_| !self.is_enough(&first)) else { return first };
        let (error, second) = match (first, Box::pin(self.at(replica)).await) {
            (Ok(first), Ok(second)) => {
                return Ok(if second.until() > first.until() { second } else { first });
            }
            (first, Err(_)) => return first,
            (Err(error), Ok(second)) => (error, second),
        };
        // Up to a gap the first one may lead further, and somebody is to know of the gap.
        if error.code() == UNREACHABLE && !self.is_exact() {
            let last = ship::trail::last(self.site.target, self.now).await?;
            if second.until() < last.map(|last| last.to) {
                return Err(error);
            }
        }
        tracing::warn!(error = %error, "the first target does not lead there; the second one is used");
        Ok(second)
    }

    /// Whether no other target can lead further.
    fn is_enough(&self, found: &Result<Found>) -> bool {
        found.as_ref().is_ok_and(|found| self.is_exact() || matches!(found.way, Way::Database { .. }))
    }

    /// Whether the moment is one position, which a target leads to or not.
    fn is_exact(&self) -> bool {
        match self.moment {
            Moment::Position(_) => true,
            Moment::Newest => self.id.is_some(),
            Moment::Time(_) => false,
        }
    }

    async fn at(&self, objects: &Objects) -> Result<Found> {
        let backups = backup::list(objects).await?.backups;
        let listed = self.choose(&backups, objects)?;
        let archive = Archive::open(objects, &listed.id, self.site.key).await?;
        let ours = self.is_ours(&listed).await?;
        let way = if self.id.is_some() && self.moment == Moment::Newest {
            Way::Nothing
        } else if ours && let Some(until) = self.in_database(&listed).await? {
            Way::Database { until }
        } else {
            self.shipped(objects, &listed).await?
        };
        let base = Base::Backup { archive: Box::new(archive), listed: Box::new(listed) };
        Ok(Found { base, objects: objects.clone(), way, ours })
    }

    /// The newest backup that is not behind the moment; one that was proven, where there is one. With a key, one that is not
    /// encrypted only where no other leads there: whoever may write to the target can have made it.
    fn choose(&self, backups: &[Listed], objects: &Objects) -> Result<Listed> {
        let place = objects.place();
        if let Some(id) = self.id {
            let listed = backups.iter().find(|one| one.id == *id).cloned().ok_or_else(|| {
                let message = format!(
                    "There is no backup {id} at {place}. `engify db backups` lists those that there are."
                );
                Error::new(Kind::NotFound, "backup_not_found", message)
            })?;
            return if not_behind(&listed, self.moment) { Ok(listed) } else { Err(too_early(&listed)) };
        }
        let anybodys = |one: &Listed| self.site.key.is_some() && one.key.is_none();
        let fitting = backups.iter().filter(|one| not_behind(one, self.moment));
        let best = fitting.min_by_key(|one| (anybodys(one), !one.is_verified())).cloned();
        let best = best.ok_or_else(|| match backups.last() {
            Some(oldest) => too_early(oldest),
            None => {
                let message = format!("There is no backup at {place}. `engify db backup` takes one.");
                Error::new(Kind::NotFound, "backup_not_found", message)
            }
        })?;
        if anybodys(&best) {
            tracing::warn!(
                backup.id = %best.id,
                "no encrypted backup leads there; this one could have been made by whoever may write to the target"
            );
        }
        Ok(best)
    }

    /// Whether the live database took this backup.
    async fn is_ours(&self, listed: &Listed) -> Result<bool> {
        let Live::Open(store) = self.live else { return Ok(false) };
        let everything = Scope::Everything("backups are of the whole installation");
        Ok(self.own && store.get::<Backup>(&everything, listed.id.as_str()).await?.is_some())
    }

    /// The position, where the live database's own journal leads to the moment.
    async fn in_database(&self, listed: &Listed) -> Result<Option<u64>> {
        let Live::Open(store) = self.live else { return Ok(None) };
        if store.journal_trimmed().await? > listed.position {
            return Ok(None);
        }
        let end = store.journal_position().await?;
        match self.moment {
            Moment::Newest => Ok(Some(end)),
            Moment::Position(position) if position <= end => Ok(Some(position)),
            Moment::Position(position) => {
                Err(unreachable(format!("The journal ends at position {end}; {position} was never reached.")))
            }
            Moment::Time(time) => last_by(store, listed.position, time).await.map(Some),
        }
    }

    /// The way by the segments that lie there.
    async fn shipped(&self, objects: &Objects, listed: &Listed) -> Result<Way> {
        // A backup of a time to come was taken by a clock that was wrong: what follows it may lie under earlier days.
        let since = if listed.created_at > self.now { Time::from_millis(0) } else { listed.created_at };
        let trail = Trail::since(objects, since).await?;
        let (mut names, reach) = trail.from(listed.position);
        let until = match self.moment {
            Moment::Newest if reach.gap => return Err(gap(&reach)),
            Moment::Newest => reach.position,
            Moment::Position(position) if position > reach.position => return Err(gap(&reach)),
            Moment::Position(position) => position,
            Moment::Time(time) => {
                if reach.gap && reach.time.is_none_or(|last| time > last) {
                    return Err(gap(&reach));
                }
                names.truncate(
                    names.iter().rposition(|name| name.earliest <= time).map_or(0, |last| last + 1),
                );
                match names.last() {
                    None => listed.position,
                    Some(name) => {
                        let segment = ship::trail::fetch(objects, name, self.site.key).await?;
                        let last = segment.changes.iter().rev().find(|change| change.at <= time);
                        last.map_or(name.after, |change| change.position).max(listed.position)
                    }
                }
            }
        };
        if until == listed.position {
            return Ok(Way::Nothing);
        }
        let last = names.iter().position(|name| name.to >= until);
        names.truncate(last.map_or(names.len(), |last| last + 1));
        Ok(Way::Shipped { names, until })
    }
}

fn not_behind(listed: &Listed, moment: Moment) -> bool {
    match moment {
        Moment::Newest => true,
        Moment::Time(time) => listed.created_at <= time,
        Moment::Position(position) => listed.position <= position,
    }
}

fn too_early(listed: &Listed) -> Error {
    unreachable(format!(
        "That is before the backup {} of {} (position {}), the earliest that can be restored from there. Name a later \
         moment, or another target with --from.",
        listed.id, listed.created_at, listed.position
    ))
}

fn unreachable(message: String) -> Error {
    Error::new(Kind::Invalid, UNREACHABLE, message)
}

/// The last position with a change that was made by then. The clock may have gone back in between, so all are looked at.
async fn last_by(store: &Store, from: u64, time: Time) -> Result<u64> {
    let (mut position, mut last) = (from, from);
    loop {
        let page = store.journal_after(position, LIMIT).await?;
        let Some(end) = page.last() else { return Ok(last) };
        position = end.position;
        if let Some(change) = page.iter().rev().find(|change| change.at <= time) {
            last = change.position;
        }
    }
}

fn gap(reach: &ship::Reach) -> Error {
    let time = reach.time.map_or_else(String::new, |time| format!(" ({time})"));
    unreachable(format!(
        "Changes are missing behind the position {}{time}: that is the last moment that can be reached from this backup. Restore \
         it with --at {}, begin with a later backup, or name another target with --from.",
        reach.position, reach.position
    ))
}

/// Makes the journal of a database that goes on elsewhere follow what was shipped. Where all of that was restored, it
/// simply goes on; where less was, a break says so at the target: what comes now does not follow from what is there.
/// A database whose journal reaches as far as what was shipped is the one that ships there, and goes on by itself.
pub(super) async fn continue_timeline(site: &Site<'_>, found: &Found, store: &Store) -> Result<()> {
    let restored = found.until().unwrap_or(0);
    let own = |place: &ObjectPlace| {
        site.target.place() == place || site.replica.is_some_and(|replica| replica.place() == place)
    };
    if found.ours || !own(found.objects.place()) {
        return Ok(());
    }
    store.continue_journal(restored).await?;
    for target in [Some(site.target), site.replica].into_iter().flatten() {
        let last = match ship::trail::last(target, site.clock.now()).await {
            Ok(last) => last.map_or(0, |last| last.to),
            // A target that is lost has nothing that could be followed.
            Err(error) => {
                tracing::warn!(error = %error, "a target cannot be read, and is left as it is");
                continue;
            }
        };
        if last > store.journal_position().await? {
            let mut shipper =
                Shipper::new(store.clone(), target.clone(), site.key.cloned(), site.clock.clone());
            store.continue_journal(shipper.break_here().await?).await?;
        }
    }
    Ok(())
}
