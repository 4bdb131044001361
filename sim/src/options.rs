//! What a run is like: drawn from its seed, printed before anything happens, read back from a
//! script.

use std::fmt;
use std::str::FromStr;

use crate::decisions::{Decisions, Purpose};
use crate::disk::Crash;

/// Defines [`Options`] with its text form, so that no number can be drawn and not printed.
macro_rules! options {
    ($( $(#[$doc:meta])* $name:ident, )*) => {
        /// The options of one run. Rates are in so many of a thousand cases, times in microseconds.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Options {
            $( $(#[$doc])* pub $name: u64, )*
            /// What ends the broker before its time, in the order of events.
            pub strikes: Vec<Strike>,
        }

        impl fmt::Display for Options {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $( writeln!(f, "{}={}", stringify!($name), self.$name)?; )*
                self.strikes.iter().try_for_each(|strike| writeln!(f, "strike={strike}"))
            }
        }

        impl Options {
            /// The names of all options but the strikes.
            pub const NAMES: &[&str] = &[$( stringify!($name), )*];

            /// The value of an option; 0 when there is none of that name.
            pub fn value(&self, name: &str) -> u64 {
                match name {
                    $( stringify!($name) => self.$name, )*
                    _ => 0,
                }
            }

            /// In few lines: the options that are not 0.
            pub fn summary(&self) -> String {
                let named = [$( (stringify!($name), self.$name), )*].into_iter();
                let told = named.filter(|(_, value)| *value != 0);
                let told = told.map(|(name, value)| format!("{name}={value}"));
                let strikes = self.strikes.iter().map(|strike| format!("strike={strike}"));
                folded(told.chain(strikes).chain(["(all others 0)".to_owned()]))
            }

            /// Sets one option by its name; an error says what is wrong.
            pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
                if name == "strike" {
                    self.strikes.push(value.parse()?);
                    return Ok(());
                }
                let number = value.parse().map_err(|_| format!("{name}={value}: no number"))?;
                match name {
                    $( stringify!($name) => self.$name = number, )*
                    _ => return Err(format!("{name}: no such option")),
                }
                Ok(())
            }
        }
    };
}

options! {
    /// Model clients.
    clients,
    /// Requests that each of them sends.
    requests,
    /// Requests that a client sends before it waits for an answer.
    pipeline,
    /// Topics.
    topics,
    /// Partitions of each.
    partitions,
    /// Log directories.
    log_dirs,
    /// 1: the partitions' directories are there at the first start; 0: the broker makes them.
    partition_dirs,
    /// 1: `klamm.durability=page-cache`.
    page_cache,
    /// `segment.bytes` of the topics.
    segment_bytes,
    /// What a job reads at once; 0 for the broker's own limit, as in all of these.
    job_piece_bytes,
    /// Jobs at once.
    jobs_max,
    /// Milliseconds between two synced checkpoints.
    checkpoint_interval_ms,
    /// Request bytes that all connections together may hold.
    request_budget_bytes,
    /// Longest frame that gets its room at once.
    frame_eager_bytes,
    /// Most partitions in one request.
    request_partitions_max,
    /// Most records in one batch.
    batch_records_max,
    /// Longest value of a record.
    value_bytes_max,
    /// Requests with acks=0.
    acks_none_per_mille,
    /// Requests for a topic that is not there.
    unknown_topic_per_mille,
    /// Requests that are no Produce.
    query_per_mille,
    /// Longest piece in which bytes arrive.
    piece_bytes_max,
    /// Longest way of a piece through the network.
    network_micros_max,
    /// Longest wait of an event inside the broker's process.
    process_micros_max,
    /// Longest step of a file operation.
    disk_micros_max,
    /// Pieces that reset their connection instead of arriving.
    reset_per_mille,
    /// Connections whose client says that it will send no more, and reads on.
    half_close_per_mille,
    /// Writes that fail half way.
    write_fault_per_mille,
    /// Syncs that fail.
    sync_fault_per_mille,
    /// Reads and listings that fail.
    read_fault_per_mille,
    /// Creates, renames, unlinks that fail.
    entry_fault_per_mille,
    /// Room on the disk; 0 for no end of it.
    capacity_bytes,
    /// The log directory that the faults strike, counted from 1; 0 for all.
    faulty_dir,
    /// Events after which faults end, whatever is left to send.
    events_max,
    /// Batches that a client compresses.
    compressed_per_mille,
    /// Batches whose records have keys.
    keyed_per_mille,
    /// `compression.type` of the topics, a digit to the base 6 for each, the first topic's last: 0
    /// `producer`, 1 to 4 the codecs by their numbers, 5 `uncompressed`.
    topic_codecs,
    /// Topics with `message.timestamp.type=LogAppendTime`, a bit for each, the first topic's last.
    append_time_topics,
    /// Log directories beyond those, without a file in them: the broker formats them.
    blank_log_dirs,
    /// Those of the clients, from the first on, that are idempotent producers.
    idempotent,
    /// Batches that such a producer sends again though nothing is wrong.
    resent_per_mille,
    /// Clients that read.
    consumers,
    /// Requests that each of those sends.
    consumer_requests,
    /// Of those, how many fetch in sessions.
    session_per_mille,
    /// Fetch sessions that the broker keeps; 0 for its own limit.
    session_slots,
    /// Fetches before which a consumer moves to somewhere else, or leaves a partition out.
    seek_per_mille,
    /// Longest wait of a fetch, in milliseconds.
    fetch_wait_ms_max,
    /// 1: some fetches are for less than a batch.
    tiny_fetches,
    /// Clients that look up offsets, epochs and producers.
    inquirers,
    /// Requests that each of those sends.
    inquirer_requests,
    /// Of those, deletions.
    delete_per_mille,
    /// Of those, fetches that make no sense.
    nonsense_per_mille,
    /// `retention.ms`; 0 for no limit.
    retention_ms,
    /// `retention.bytes`; 0 for no limit.
    retention_bytes,
    /// Milliseconds between two rounds of the logs' periodic work: retention, checkpoints; 0 for
    /// Kafka's intervals.
    task_interval_ms,
    /// `file.delete.delay.ms`; 0 for Kafka's default.
    file_delete_delay_ms,
    /// `segment.ms`; 0 for Kafka's default.
    segment_ms,
    /// `segment.jitter.ms`.
    segment_jitter_ms,
    /// `index.interval.bytes`; 0 for Kafka's default.
    index_interval_bytes,
    /// `segment.index.bytes`; 0 for Kafka's default.
    segment_index_bytes,
    /// `flush.messages`; 0 for never.
    flush_messages,
    /// Steps of the wall clock, forwards or back.
    wall_steps,
    /// The longest of them, in milliseconds.
    wall_step_ms_max,
    /// What a bit may flip in at rest, beside the logs themselves: 1 for their other files too, 2
    /// for the log directories' as well.
    rot_reach,
    /// Clients that make, change and delete topics.
    administrators,
    /// Requests that each of those sends.
    administrator_requests,
    /// Names of the topics that come and go by them.
    passing_topics,
    /// Most partitions that such a topic is made with.
    passing_partitions,
    /// Looks that may make a topic that is not there.
    auto_create_per_mille,
    /// `metadata.log.max.record.bytes.between.snapshots`; 0 for Kafka's default.
    metadata_snapshot_bytes,
    /// `metadata.log.segment.bytes`; 0 for Kafka's default.
    metadata_segment_bytes,
    /// `metadata.max.retention.bytes`; 0 for Kafka's default.
    metadata_retention_bytes,
    /// Most pieces that bytes sent at once arrive in; 0 for no bound.
    pieces_max,
    /// Clients that are members of groups.
    members,
    /// What each of those does beside staying a member.
    member_requests,
    /// Clients that commit without being members, look at groups, and delete them.
    overseers,
    /// Requests that each of those sends.
    overseer_requests,
    /// Groups of members.
    groups,
    /// `offsets.topic.num.partitions`.
    offsets_partitions,
    /// How long members may be silent, in milliseconds.
    session_ms,
    /// How long a rebalance waits for them.
    rebalance_ms,
    /// `group.initial.rebalance.delay.ms`.
    initial_rebalance_ms,
    /// `group.max.size`; 0 for no bound.
    group_size_max,
    /// `offsets.retention.minutes`, in milliseconds; 0 for Kafka's default.
    offsets_retention_ms,
    /// `offsets.retention.check.interval.ms`; 0 for Kafka's default.
    offsets_check_ms,
    /// Members that keep their place over restarts.
    static_per_mille,
    /// Requests behind which a member dies without a word.
    death_per_mille,
    /// Requests of overseers that forge, or make no sense.
    hostile_per_mille,
    /// Topics with `cleanup.policy=compact`, a bit for each, the first topic's last.
    compacted_topics,
    /// 1: they have `cleanup.policy=compact,delete`.
    compact_and_delete,
    /// Keys of the records in such a topic.
    compact_keys,
    /// Of those records, how many have no value.
    tombstones_per_mille,
    /// `log.cleaner.backoff.ms`; 0 for Kafka's default.
    cleaner_backoff_ms,
    /// `log.cleaner.dedupe.buffer.size`; 0 for Kafka's default.
    cleaner_dedupe_bytes,
    /// `log.cleaner.io.max.bytes.per.second`; 0 for no limit.
    cleaner_bytes_per_second,
    /// `min.cleanable.dirty.ratio`, in so many of a thousand.
    dirty_per_mille,
    /// `delete.retention.ms`, less 1; 0 for Kafka's default.
    delete_retention_ms,
    /// `min.compaction.lag.ms`.
    compaction_lag_ms,
    /// Commits, and looks at what was committed, that are about topics that come and go as well.
    passing_commits_per_mille,
    /// 1: of static members, each two have one instance id.
    twins,
    /// What a connection reads at once; 0 for the broker's own limit, as in the next one.
    read_bytes,
    /// And at most, from a peer that fills its reads.
    read_ahead_bytes_max,
}

const COLUMNS_MAX: usize = 100;

fn folded(words: impl Iterator<Item = String>) -> String {
    let mut lines = vec![String::new()];
    for word in words {
        let line = lines.last_mut().expect("there is one");
        if line.is_empty() {
            *line = word;
        } else if line.len() + word.len() < COLUMNS_MAX {
            line.push(' ');
            line.push_str(&word);
        } else {
            lines.push(word);
        }
    }
    lines.join("\n")
}

/// Something that ends the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// Before which event of the run, counted from 0.
    pub at_event: u64,
    /// What.
    pub kind: StrikeKind,
}

/// What ends the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrikeKind {
    /// The process or the machine goes.
    Crash(Crash),
    /// It is asked to stop.
    Stop,
    /// It is asked to stop, and then a bit flips in one of its logs.
    Rot,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            StrikeKind::Crash(Crash::Killed) => "killed",
            StrikeKind::Crash(Crash::PowerLoss) => "power-loss",
            StrikeKind::Stop => "stop",
            StrikeKind::Rot => "rot",
        };
        write!(f, "{kind}@{}", self.at_event)
    }
}

impl FromStr for Strike {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text}: no strike");
        let (kind, at) = text.split_once('@').ok_or_else(wrong)?;
        let kind = match kind {
            "killed" => StrikeKind::Crash(Crash::Killed),
            "power-loss" => StrikeKind::Crash(Crash::PowerLoss),
            "stop" => StrikeKind::Stop,
            "rot" => StrikeKind::Rot,
            _ => return Err(wrong()),
        };
        Ok(Self { at_event: at.parse().map_err(|_| wrong())?, kind })
    }
}

impl Options {
    /// A small run in which nothing goes wrong: the ground for directed tests.
    pub fn calm() -> Self {
        Self {
            clients: 1,
            requests: 3,
            pipeline: 2,
            topics: 1,
            partitions: 1,
            log_dirs: 1,
            partition_dirs: 1,
            segment_bytes: 1 << 20,
            request_partitions_max: 1,
            batch_records_max: 2,
            value_bytes_max: 700,
            piece_bytes_max: 1 << 16,
            network_micros_max: 500,
            process_micros_max: 50,
            disk_micros_max: 1000,
            events_max: 100_000,
            ..Self::default()
        }
    }

    /// A run in which anything may go wrong: each kind of fault is off in about half of the runs,
    /// so that none hides behind another.
    pub fn draw(decisions: &mut Decisions) -> Self {
        let mut draw = |low, high| decisions.between(Purpose::Options, low, high);
        let mut options = Self {
            clients: draw(1, 4),
            requests: draw(1, 30),
            pipeline: draw(1, 8),
            topics: draw(1, 3),
            partitions: draw(1, 3),
            log_dirs: draw(1, 2),
            partition_dirs: draw(0, 1),
            page_cache: draw(0, 3) / 3,
            segment_bytes: 1 << draw(12, 20),
            request_partitions_max: draw(1, 3),
            batch_records_max: draw(1, 5),
            value_bytes_max: 16 << draw(0, 8),
            acks_none_per_mille: draw(0, 1) * draw(0, 300),
            unknown_topic_per_mille: draw(0, 1) * draw(0, 200),
            query_per_mille: draw(0, 1) * draw(0, 300),
            piece_bytes_max: 1 << draw(0, 16),
            network_micros_max: 1 << draw(4, 14),
            process_micros_max: 1 << draw(2, 12),
            disk_micros_max: 1 << draw(4, 15),
            reset_per_mille: draw(0, 1) * draw(0, 20),
            half_close_per_mille: draw(0, 1) * draw(0, 200),
            events_max: 30_000,
            ..Self::default()
        };
        // Short pieces of long requests would be most of the run.
        options.piece_bytes_max = options.piece_bytes_max.max(options.value_bytes_max / 32);
        if draw(0, 1) == 0 {
            options.job_piece_bytes = draw(0, 1) << draw(10, 16);
            options.jobs_max = draw(0, 2);
            options.checkpoint_interval_ms = draw(0, 1) << draw(0, 10);
            options.request_budget_bytes = draw(0, 1) << draw(8, 16);
            options.frame_eager_bytes = draw(0, 1) << draw(5, 12);
        }
        // A batch must fit a segment.
        let batch = options.batch_records_max * (options.value_bytes_max + 100);
        options.segment_bytes = options.segment_bytes.max(2 * batch);
        if draw(0, 1) == 0 {
            options.write_fault_per_mille = draw(0, 1) * draw(0, 40);
            options.sync_fault_per_mille = draw(0, 1) * draw(0, 120);
            options.read_fault_per_mille = draw(0, 1) * draw(0, 10);
            options.entry_fault_per_mille = draw(0, 1) * draw(0, 20);
            options.capacity_bytes = draw(0, 2) / 2 * (4_000 << draw(0, 6));
            options.faulty_dir = draw(0, options.log_dirs);
        }
        let mut at_event = 0;
        for _ in 0..draw(0, 8) {
            // Every third one strikes soon after the one before: into start-up and recovery.
            at_event += if draw(0, 2) == 0 { draw(1, 60) } else { draw(60, 1500) };
            let kind = match draw(0, 10) {
                0..=3 => StrikeKind::Crash(Crash::Killed),
                4..=7 => StrikeKind::Crash(Crash::PowerLoss),
                8 | 9 => StrikeKind::Stop,
                _ => StrikeKind::Rot,
            };
            options.strikes.push(Strike { at_event, kind });
        }
        // Drawn last: what a seed drew before these were there stays as it was.
        options.compressed_per_mille = draw(0, 1) * draw(0, 800);
        options.keyed_per_mille = draw(0, 1) * draw(0, 1000);
        options.topic_codecs = draw(0, 1) * draw(0, 6_u64.pow(3) - 1);
        options.append_time_topics = draw(0, 1) * draw(0, 7);
        options.blank_log_dirs = draw(0, 3) / 3;
        options.draw_readers(&mut draw);
        options.draw_upkeep(&mut draw);
        options.draw_administrators(&mut draw);
        options.draw_snapshots(&mut draw);
        // Where short pieces are not bounded, they are most of a run.
        options.pieces_max = 2 * draw(0, 7);
        options.draw_groups(&mut draw);
        options.draw_compaction(&mut draw);
        options.draw_more_of_groups(&mut draw);
        options.read_bytes = draw(0, 1) << draw(6, 16);
        options.read_ahead_bytes_max = draw(0, 1) << draw(6, 18);
        options
    }
}

impl Options {
    /// Who reads and asks, and how.
    fn draw_readers(&mut self, draw: &mut impl FnMut(u64, u64) -> u64) {
        self.idempotent = draw(0, self.clients);
        self.resent_per_mille = draw(0, 1) * draw(0, 300);
        self.consumers = draw(0, 3);
        self.consumer_requests = draw(1, 30);
        self.session_per_mille = draw(0, 2) * 500;
        self.session_slots = draw(0, 1) * draw(1, 4);
        self.seek_per_mille = draw(0, 1) * draw(0, 300);
        self.fetch_wait_ms_max = draw(0, 1) << draw(0, 12);
        self.tiny_fetches = draw(0, 1);
        self.inquirers = draw(0, 1);
        self.inquirer_requests = draw(1, 20);
        self.delete_per_mille = draw(0, 1) * draw(0, 500);
        self.nonsense_per_mille = draw(0, 1) * draw(0, 200);
    }

    /// Who reads together with others.
    fn draw_groups(&mut self, draw: &mut impl FnMut(u64, u64) -> u64) {
        let is_grouped = draw(0, 2) / 2;
        self.members = is_grouped * draw(1, 4);
        self.member_requests = draw(4, 30);
        self.overseers = is_grouped * draw(0, 2);
        self.overseer_requests = draw(4, 30);
        self.groups = draw(1, 2);
        self.offsets_partitions = draw(1, 4);
        // A request and its sync must fit a few times into a session.
        let slow_ms =
            (self.disk_micros_max + self.network_micros_max + self.process_micros_max) / 10;
        self.session_ms = slow_ms.max(100) << draw(0, 2);
        self.rebalance_ms = self.session_ms * draw(1, 2);
        self.initial_rebalance_ms = draw(0, 1) * draw(0, self.session_ms);
        self.group_size_max = draw(0, 5) / 5 * draw(2, 3);
        self.static_per_mille = draw(0, 2) * 500;
        self.death_per_mille = draw(0, 1) * draw(0, 100);
        self.hostile_per_mille = draw(0, 1) * draw(0, 400);
        let expires = is_grouped * (draw(0, 3) / 3);
        self.offsets_retention_ms = expires * (100 << draw(0, 6));
        self.offsets_check_ms = expires * (50 << draw(0, 4));
    }

    /// What groups have to do with topics that come and go, and members with each other.
    fn draw_more_of_groups(&mut self, draw: &mut impl FnMut(u64, u64) -> u64) {
        let is_grouped = (self.members + self.overseers).min(1);
        self.passing_commits_per_mille =
            is_grouped * self.passing_topics.min(1) * draw(0, 3).min(1) * draw(100, 600);
        self.twins = is_grouped * (draw(0, 2) / 2);
    }

    /// What is compacted, how soon, and how much at once.
    fn draw_compaction(&mut self, draw: &mut impl FnMut(u64, u64) -> u64) {
        self.compacted_topics = draw(0, 2) / 2 * draw(1, 7);
        self.compact_and_delete = draw(0, 3) / 3;
        self.compact_keys = draw(1, 12);
        self.tombstones_per_mille = draw(0, 1) * draw(0, 500);
        self.cleaner_backoff_ms = 1 << draw(0, 9);
        self.cleaner_dedupe_bytes = draw(0, 1) * 24 * draw(4, 40);
        self.cleaner_bytes_per_second = draw(0, 2) / 2 * (1_000 << draw(0, 10));
        self.dirty_per_mille = draw(0, 1) * draw(0, 900);
        self.delete_retention_ms = draw(0, 2) / 2 * (1 << draw(0, 12));
        self.compaction_lag_ms = draw(0, 2) / 2 * (1 << draw(0, 10));
    }

    /// Who changes what there is.
    fn draw_administrators(&mut self, draw: &mut impl FnMut(u64, u64) -> u64) {
        self.administrators = draw(0, 2);
        self.administrator_requests = draw(1, 30);
        self.passing_topics = draw(1, 3) * self.administrators.min(1);
        self.passing_partitions = draw(1, 4);
        self.auto_create_per_mille = draw(0, 2) / 2 * draw(0, 300);
    }

    /// How soon the metadata log goes into snapshots, and how much of it is kept.
    fn draw_snapshots(&mut self, draw: &mut impl FnMut(u64, u64) -> u64) {
        self.metadata_snapshot_bytes = draw(0, 1) << draw(0, 12);
        self.metadata_segment_bytes = draw(0, 1) * (256 << draw(0, 4));
        self.metadata_retention_bytes = draw(0, 1) << draw(0, 14);
    }

    /// What the broker does to its logs by itself, and the clock that it does it by.
    fn draw_upkeep(&mut self, draw: &mut impl FnMut(u64, u64) -> u64) {
        self.retention_ms = draw(0, 2) / 2 * (50 << draw(0, 8));
        self.retention_bytes = draw(0, 2) / 2 * (1_000 << draw(0, 8));
        self.task_interval_ms = draw(0, 1) * (20 << draw(0, 5));
        self.file_delete_delay_ms = draw(0, 1) * (1 << draw(0, 10));
        self.segment_ms = draw(0, 2) / 2 * (50 << draw(0, 6));
        self.segment_jitter_ms = draw(0, 1) * draw(0, self.segment_ms);
        self.index_interval_bytes = draw(0, 1) * (1 << draw(0, 12));
        self.segment_index_bytes = draw(0, 3) / 3 * draw(24, 200);
        self.flush_messages = draw(0, 3) / 3 * draw(1, 20);
        self.wall_steps = draw(0, 2) / 2 * draw(1, 6);
        self.wall_step_ms_max = 10 << draw(0, 16);
        self.rot_reach = draw(0, 2);
    }
}

#[cfg(test)]
mod tests {
    use super::Options;
    use crate::decisions::Decisions;

    #[test]
    fn options_read_back_as_they_are_printed() {
        for seed in 0..50 {
            let options = Options::draw(&mut Decisions::from_seed(seed));
            let mut read = Options::default();
            for line in options.to_string().lines() {
                let (name, value) = line.split_once('=').expect("a name and a value");
                read.set(name, value).expect("it was printed");
            }
            assert_eq!(read, options);
        }
    }

    #[test]
    fn the_summary_leaves_out_nothing_that_is_not_0() {
        for seed in 0..50 {
            let options = Options::draw(&mut Decisions::from_seed(seed));
            let mut read = Options::default();
            let summary = options.summary();
            let told = summary.trim_end_matches("(all others 0)").split_whitespace();
            for (name, value) in told.filter_map(|word| word.split_once('=')) {
                read.set(name, value).expect("it was told");
            }
            assert_eq!(read, options);
            assert!(summary.lines().all(|line| line.len() <= 100), "{summary}");
        }
    }

    #[test]
    fn what_is_no_option_is_refused() {
        let mut options = Options::calm();
        assert!(options.set("clients", "many").is_err());
        assert!(options.set("klients", "1").is_err());
        assert!(options.set("strike", "melted@3").is_err());
    }
}
