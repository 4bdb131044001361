//! What several kinds of rungs are put together from: partitions, records, errors, lists.

use std::collections::BTreeMap;

use klamm_core::batch::BatchHeader;
use klamm_core::error_code::ErrorCode;
use klamm_core::ids::Uuid;

use crate::history::{RecordId, TopicPartition, record_id};
use crate::reader::{StoredLog, read_fetched};

/// Parts of one line; what is beyond them is counted.
const PARTS_MAX: usize = 6;

/// The names of topics that were told with their ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(BTreeMap<Uuid, String>);

impl Names {
    /// From now on this id is known by its name.
    pub(super) fn learn(&mut self, id: Uuid, name: &str) {
        if id != Uuid::ZERO && !name.is_empty() {
            self.0.insert(id, name.to_owned());
        }
    }

    /// A topic by what a message has of it: a name, or an id.
    pub(super) fn topic(&self, name: &str, id: Uuid) -> String {
        match (name, self.0.get(&id)) {
            ("", Some(known)) => known.clone(),
            ("", None) => id.to_string(),
            _ => name.to_owned(),
        }
    }

    /// A partition of it. Where topics come and go, the id tells which one is meant.
    pub(super) fn partition(&self, name: &str, id: Uuid, partition: i32) -> String {
        match self.0.get(&id).filter(|_| name.is_empty()) {
            Some(known) => TopicPartition::new(known, id, partition).to_string(),
            None => format!("{}-{partition}", self.topic(name, id)),
        }
    }
}

/// Parts of a list, the first few of them.
pub(super) fn list(parts: impl IntoIterator<Item = String>) -> String {
    let mut parts: Vec<String> = parts.into_iter().collect();
    if parts.is_empty() {
        return "nothing".to_owned();
    }
    let beyond = parts.len().saturating_sub(PARTS_MAX);
    parts.truncate(PARTS_MAX);
    let more = if beyond > 0 { format!("; {beyond} more") } else { String::new() };
    format!("{}{more}", parts.join("; "))
}

/// Each part of each whole, with the whole: partitions with their topics.
pub(super) fn pairs<'a, W, P: 'a>(
    wholes: &'a [W],
    parts: impl Fn(&'a W) -> &'a Vec<P>,
) -> impl Iterator<Item = (&'a W, &'a P)> {
    wholes.iter().flat_map(move |whole| parts(whole).iter().map(move |part| (whole, part)))
}

/// Kafka's name of an error.
pub(super) fn error(code: ErrorCode) -> String {
    code.name().map_or_else(|| format!("error {}", code.0), str::to_owned)
}

/// `subject` with the error, or with what is told when there is none.
pub(super) fn outcome(subject: &str, code: ErrorCode, told: impl FnOnce() -> String) -> String {
    let told = if code.is_none() { told() } else { format!(" {}", error(code)) };
    format!("{subject}{told}")
}

/// Whether offsets are told with the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offsets {
    Told,
    /// The broker gives them.
    ToCome,
}

/// Batches, by the ids of their records and by who wrote them.
pub(super) fn batches(bytes: &[u8], offsets: Offsets) -> String {
    if bytes.is_empty() {
        return "no records".to_owned();
    }
    let Ok(log) = read_fetched(bytes, true) else {
        return format!("{} bytes that are no batch", bytes.len());
    };
    let at = match (offsets, log.records.first(), log.records.last()) {
        (Offsets::Told, Some(first), Some(last)) => {
            format!(" at {}", run(first.offset, last.offset))
        }
        _ => String::new(),
    };
    format!("{}{at}{}{}", records(&log), codec(&log), producer(bytes))
}

/// `record 4`, `records 4-6`; those of another making are counted.
fn records(log: &StoredLog) -> String {
    let ids: Vec<RecordId> = log.records.iter().map(|record| record_id(&record.value)).collect();
    if ids.contains(&0) {
        return format!("{} records", ids.len());
    }
    let runs = ids.chunk_by(|one, next| one + 1 == *next);
    let runs = runs.filter_map(|ids| Some(run(*ids.first()? as i64, *ids.last()? as i64)));
    let plural = if ids.len() == 1 { "" } else { "s" };
    format!("record{plural} {}", runs.collect::<Vec<_>>().join(","))
}

fn codec(log: &StoredLog) -> &'static str {
    match log.records.first().map_or(0, |record| record.codec) {
        0 => "",
        1 => " gzip",
        2 => " snappy",
        3 => " lz4",
        _ => " zstd",
    }
}

/// The place of an idempotent producer's batch.
fn producer(bytes: &[u8]) -> String {
    match BatchHeader::parse(bytes).filter(BatchHeader::has_producer_id) {
        Some(BatchHeader { producer_id, producer_epoch, base_sequence, .. }) => {
            format!(" (producer {producer_id}, epoch {producer_epoch}, sequence {base_sequence})")
        }
        None => String::new(),
    }
}

/// `4`, or `4-6`.
fn run(first: i64, last: i64) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

#[cfg(test)]
mod tests {
    use klamm_core::batch::BatchBuilder;
    use klamm_core::error_code::ErrorCode;
    use klamm_core::ids::Uuid;

    use super::{Names, Offsets, batches, error, list};

    #[test]
    fn batches_are_told_by_the_ids_of_their_records() {
        let mut builder = BatchBuilder::new().producer(1000, 0, 7);
        for id in [4_u64, 5, 9] {
            builder.append(1, None, Some(&id.to_be_bytes()));
        }
        let bytes = builder.encode(20, 0);
        let told = batches(&bytes, Offsets::Told);
        assert_eq!(told, "records 4-5,9 at 20-22 (producer 1000, epoch 0, sequence 7)");
        assert_eq!(batches(&bytes[..70], Offsets::Told), "70 bytes that are no batch");
        let mut other = BatchBuilder::new();
        other.append(1, None, Some(b"somebody else's"));
        assert_eq!(batches(&other.encode(0, -1), Offsets::ToCome), "1 records");
    }

    #[test]
    fn topics_are_told_by_name() {
        let (mut names, id) = (Names::default(), Uuid([7; 16]));
        assert_eq!(names.partition("", id, 2), format!("{id}-2"));
        names.learn(id, "orders");
        assert_eq!(names.partition("", id, 2), "orders-2");
        assert_eq!(names.partition("orders", Uuid::ZERO, 2), "orders-2");
    }

    #[test]
    fn long_lists_end_in_a_count() {
        assert_eq!(list((0..8).map(|n| n.to_string())), "0; 1; 2; 3; 4; 5; 2 more");
        assert_eq!(error(ErrorCode(9999)), "error 9999");
    }
}
