//! File operations in words: what an effect is to do, and what a crash has left of files.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use klamm_core::effect::{Effect, Operation, Path};
use klamm_core::ids::{EffectId, JobId};
use klamm_core::records::MetadataRecord;

use super::Weight;
use super::words::{Offsets, batches, list};
use crate::disk::{Disk, extension};
use crate::reader::read_fetched;

/// The directory of the metadata log.
const METADATA: &str = "__cluster_metadata-0";

/// `e12` for an effect of the broker's, `j2.e1` for one of its job 2.
pub(super) fn effect_name(id: EffectId) -> String {
    match id.owner {
        JobId::BROKER => format!("e{}", id.number),
        JobId(job) => format!("j{job}.e{}", id.number),
    }
}

/// A path without its root, and the name of a segment without its zeros.
pub(super) fn path_name(path: &Path) -> String {
    let path = path.as_str().trim_start_matches('/');
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let zeros = name.bytes().take_while(|&byte| byte == b'0').count();
    let name = if digits == 20 { &name[zeros.min(19)..] } else { name };
    if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") }
}

/// What an effect is to do.
pub(super) fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Operations(operations) => {
            // That a file is closed says nothing where anything else is done.
            let closes = |one: &&Operation| matches!(one, Operation::Close(_));
            let all_close = operations.iter().all(|one| closes(&one));
            let told: Vec<&Operation> =
                operations.iter().filter(|one| all_close || !closes(one)).collect();
            list(steps(&told))
        }
        Effect::Sync(set) => {
            let files = set.files.iter().map(|file| path_name(&file.path));
            let entries = set.directories.iter();
            let entries = entries.map(|path| format!("entries of {}", path_name(path)));
            format!("sync {}", list(files.chain(entries)))
        }
    }
}

/// Operations one after another. A small file that is written under another name, synced, and then
/// named is one thing in four steps.
fn steps(mut left: &[&Operation]) -> Vec<String> {
    let mut told = Vec::new();
    while let [first, rest @ ..] = left {
        if let [
            Operation::Create(file),
            Operation::Write { data, .. },
            Operation::Sync(_),
            Operation::Rename { from, to },
            rest @ ..,
        ] = left
            && file.path == *from
        {
            let bytes: usize = data.iter().map(Bytes::len).sum();
            told.push(format!("replace {}, {bytes} bytes", path_name(to)));
            left = rest;
        } else {
            told.push(operation(first));
            left = rest;
        }
    }
    told
}

/// What an effect weighs in a start or a stop.
pub(super) fn weight(effect: &Effect) -> Weight {
    let is_routine = match effect {
        Effect::Operations(operations) if operations.iter().all(only_reads) => return Weight::Look,
        Effect::Operations(operations) => {
            operations.iter().all(|one| only_reads(one) || is_small(one.path()))
        }
        Effect::Sync(set) => {
            let files = set.files.iter().map(|file| &file.path);
            files.chain(&set.directories).all(is_small)
        }
    };
    if is_routine { Weight::Routine } else { Weight::Story }
}

/// What is not in a partition's directory, or in that of the metadata log.
pub(super) fn is_small(path: &Path) -> bool {
    path.parent().name() == METADATA
        || path.name() == METADATA
        || path.parent().parent().as_str() == "/"
}

fn only_reads(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Open(_)
            | Operation::Read { .. }
            | Operation::List(_)
            | Operation::Space(_)
            | Operation::Lock(_)
            | Operation::Close(_)
    )
}

fn operation(operation: &Operation) -> String {
    let name = path_name(operation.path());
    match operation {
        Operation::Open(_) => format!("open {name}"),
        Operation::Create(_) => format!("create {name}"),
        Operation::Write { position, data, .. } => {
            let data = Bytes::from(data.concat());
            let what = content(operation.path(), &data);
            match data.len() {
                0 => format!("make {name}"),
                length => format!("write {name} {position}+{length}{what}"),
            }
        }
        Operation::Read { position, length, .. } => format!("read {name} {position}+{length}"),
        Operation::SetLength { length, .. } => format!("set length of {name} to {length}"),
        Operation::Sync(_) => format!("sync {name}"),
        Operation::SyncDirectory(_) => format!("sync entries of {name}"),
        Operation::Rename { from, to } if from.parent() == to.parent() => {
            format!("rename {name} to {}", path_name(&Path::new(to.name())))
        }
        Operation::Rename { to, .. } => format!("rename {name} to {}", path_name(to)),
        Operation::Unlink(_) => format!("unlink {name}"),
        Operation::MakeDirectory(_) => format!("make directory {name}"),
        Operation::RemoveDirectory(_) => format!("remove directory {name}"),
        Operation::List(_) => format!("list {name}"),
        Operation::Space(_) => format!("ask for the room of {name}"),
        Operation::Lock(_) => format!("lock {name}"),
        Operation::Close(_) => format!("close {name}"),
    }
}

/// What is written to a log.
fn content(path: &Path, data: &Bytes) -> String {
    match extension(path) {
        "log" if path.parent().name() == METADATA => metadata(data),
        "log" => format!(", {}", batches(data, Offsets::Told)),
        _ => String::new(),
    }
}

/// The records of the metadata log, by their kinds.
fn metadata(data: &Bytes) -> String {
    let Ok(log) = read_fetched(data, true) else { return String::new() };
    let kinds: Vec<String> =
        log.records.iter().filter_map(|record| kind_of(&record.value)).collect();
    let runs = kinds.chunk_by(|one, next| one == next).map(|run| match run.len() {
        1 => run[0].clone(),
        count => format!("{count} {}", run[0]),
    });
    format!(", {}", list(runs))
}

/// Kafka's name of a metadata record, which its `Debug` begins with.
fn kind_of(value: &Bytes) -> Option<String> {
    let record = format!("{:?}", MetadataRecord::decode(value).ok()?);
    record.split('(').next().map(str::to_owned)
}

/// What is on a disk, to be compared with what a crash leaves of it.
#[derive(Debug)]
pub(crate) struct Contents(BTreeMap<Path, Vec<u8>>);

impl Contents {
    pub(crate) fn of(disk: &Disk) -> Self {
        Self(disk.files().into_iter().map(|(path, content)| (path, content.to_vec())).collect())
    }

    /// The files that have changed since, each with what has become of it.
    pub(super) fn changes(&self, disk: &Disk) -> Vec<String> {
        let now = Self::of(disk);
        let paths: BTreeSet<&Path> = self.0.keys().chain(now.0.keys()).collect();
        let change = |path: &Path| {
            let name = path_name(path);
            match (self.0.get(path), now.0.get(path)) {
                (Some(_), None) => Some(format!("{name} is gone")),
                (None, Some(content)) => Some(format!("{name} is there, {} bytes", content.len())),
                (Some(before), Some(after)) => {
                    changed(before, after).map(|change| format!("{name}: {change}"))
                }
                (None, None) => None,
            }
        };
        paths.into_iter().filter_map(change).collect()
    }
}

fn changed(before: &[u8], after: &[u8]) -> Option<String> {
    let common = before.len().min(after.len());
    let differs = |at: &usize| before[*at] != after[*at];
    let first = (0..common).find(differs);
    let last = (0..common).rev().find(differs);
    let others = first.zip(last).map(|(first, last)| format!("bytes {first}-{last} changed"));
    let length = (before.len() != after.len())
        .then(|| format!("{} bytes are {}", before.len(), after.len()));
    let told: Vec<String> = length.into_iter().chain(others).collect();
    (!told.is_empty()).then(|| told.join(", "))
}
