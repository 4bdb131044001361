//! Keys of `server.properties` for compaction (`CleanerConfig`).

use super::{Key, ValueType};

pub(super) const KEYS: &[Key] = &[
    Key::new("log.cleaner.backoff.ms", ValueType::long_from(0), Some("15000"))
        .dynamic()
        .does("How long no log to compact is looked for, when there was none."),
    Key::new("log.cleaner.dedupe.buffer.size", ValueType::LONG, Some("134217728")).dynamic().does(
        "Bytes that the keys of the logs being compacted may take, 24 each; they take what they \
         need. What does not fit is compacted the next time.",
    ),
    Key::new("log.cleaner.delete.retention.ms", ValueType::long_from(0), Some("86400000"))
        .dynamic()
        .does("How long a compacted topic keeps a record without value, once all earlier ones with its key are gone."),
    Key::new("log.cleaner.enable", ValueType::Boolean, Some("true"))
        .does("Whether topics are compacted at all."),
    Key::new("log.cleaner.io.buffer.load.factor", ValueType::DOUBLE, Some("0.9"))
        .dynamic()
        .does("How much of log.cleaner.dedupe.buffer.size may be filled."),
    Key::new("log.cleaner.io.buffer.size", ValueType::int_from(0), Some("524288"))
        .dynamic()
        .does("Bytes that compaction reads and writes at once, in all; a larger batch is held whole."),
    Key::new(
        "log.cleaner.io.max.bytes.per.second",
        ValueType::DOUBLE,
        Some("1.7976931348623157E308"),
    )
    .dynamic()
    .does("Bytes a second that compaction reads and writes, in all."),
    Key::new(
        "log.cleaner.max.compaction.lag.ms",
        ValueType::long_from(1),
        Some("9223372036854775807"),
    )
    .dynamic()
    .does("How long a record of a compacted topic waits for compaction at most."),
    Key::new(
        "log.cleaner.min.cleanable.ratio",
        ValueType::Double { min: 0.0, max: 1.0 },
        Some("0.5"),
    )
    .dynamic()
    .does("How much of a log must be new since it was compacted before it is compacted again."),
    Key::new("log.cleaner.min.compaction.lag.ms", ValueType::long_from(0), Some("0"))
        .dynamic()
        .does("How long a record of a compacted topic stays uncompacted at least."),
    Key::new("log.cleaner.threads", ValueType::int_from(0), Some("1"))
        .dynamic()
        .does("Logs that are compacted at once."),
];
