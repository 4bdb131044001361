//! Every limit in one place, each with its reason.

/// Array elements in one message. An element takes up to a few hundred bytes once decoded, and a byte or
/// two on the wire: without this a frame of 100 MiB would become many times its charge. Ten times what
/// the largest clusters name in one request.
pub const MESSAGE_ELEMENTS_MAX: usize = 1 << 20;

/// Array elements that any request may have, however short. What they take, some hundred bytes each with their
/// part of the answer, is less than what an uncharged connection may hold anyway.
pub const REQUEST_ELEMENTS_FREE: usize = 128;

/// Beyond those, bytes of its frame for each element of a Produce request. A decoded partition and its answer take
/// 150 to 600 bytes: at six bytes of the wire a frame of 6 MiB would become 170. A real partition brings a batch
/// of 68 bytes or more, and may have a topic to itself.
pub const PRODUCE_ELEMENT_BYTES: usize = 32;

/// The same for other requests, whose elements are names and ids: as short as names are that all differ.
pub const QUERY_ELEMENT_BYTES: usize = 4;

/// Elements of such a request, which is no longer charged for while it is answered: some 20 MiB.
pub const QUERY_ELEMENTS_MAX: usize = 1 << 17;

/// The same of a Fetch: 100,000 partitions, each of a topic of its own, and some to forget. While its answer is made
/// it takes up to 120 MiB; what waits or stays in a session has limits of its own. Whoever reads so many also asks for
/// the offsets of all of them at once, and commits them: OffsetFetch and OffsetCommit, whose elements take less.
pub const FETCH_ELEMENTS_MAX: usize = 210_000;

/// Bytes of errors in words that any answer may have. They name what was asked for, and a name of 32 KiB, asked for
/// with each of 100,000 partitions, would become 3 GiB.
pub const ANSWER_WORDS_BYTES_FREE: usize = 32 << 10;

/// Beyond those, bytes for each element of the answer: what its four bytes of the request pay for.
pub const ANSWER_WORDS_ELEMENT_BYTES: usize = 32;

/// Structures inside structures in one message. Kafka's deepest has five levels; this guards the stack
/// against a definition that holds itself.
pub const MESSAGE_DEPTH_MAX: u8 = 16;

/// Records in one batch of the metadata log: a few hundred kilobytes, where Kafka takes 8 MiB
/// (`KafkaRaftClient.MAX_BATCH_SIZE_BYTES`).
pub const METADATA_BATCH_RECORDS_MAX: i32 = 5_000;

/// Records in one batch of a metadata snapshot, as in Kafka (`SnapshotEmitter.DEFAULT_BATCH_SIZE`).
pub const SNAPSHOT_BATCH_RECORDS_MAX: i32 = 1_024;

/// Bytes at which such a batch is full: one piece of the job's work. With the longest record it must
/// stay below the 8 MiB that Kafka reads at once.
pub const SNAPSHOT_BATCH_BYTES: usize = 512 << 10;

/// Records that one request may write into the metadata log (`QuorumController.MAX_RECORDS_PER_USER_OP`).
pub const METADATA_OPERATION_RECORDS_MAX: usize = 10_000;

/// Bytes of those records, which go out in one batch: Kafka reads none of more than 8 MiB.
pub const METADATA_OPERATION_BYTES_MAX: usize = 7 << 20;

/// Records after which a flight of the metadata log takes no more changes: what a thousand large requests make
/// together would be held in memory with their answers, and nobody answered before all of it is done.
pub const METADATA_FLIGHT_RECORDS: i64 = 10_000;

/// Partitions that one CreateTopics request may ask for
/// (`ReplicationControlManager.MAX_PARTITIONS_PER_BATCH`).
pub const REQUEST_PARTITIONS_MAX: i64 = 10_000;

/// Settings in one answer to DescribeConfigs: those of 4,500 topics. A request names a
/// resource with a few bytes, and while its answer is made it takes up to 120 MiB (measured by a test).
pub const DESCRIBED_SETTINGS_MAX: usize = 150_000;

/// The longest producer snapshot that is read: some million producers, who are all in memory at once.
/// Kafka itself has no limit.
pub const SNAPSHOT_BYTES_MAX: u32 = 48 << 20;

/// Producers that one log remembers, where Kafka has no limit: some 15 MiB, and 3 MiB a snapshot. Ids are
/// easily made up, or drawn anew by each of many short-lived clients; whoever was idle longest is forgotten.
pub const LOG_PRODUCERS_MAX: usize = 1 << 16;

/// Kafka's default of `transaction.max.timeout.ms`.
pub const TRANSACTION_TIMEOUT_MS_MAX: i32 = 900_000;

/// How often old snapshots of the metadata log are looked for, as in Kafka (`KafkaRaftClient`).
pub const METADATA_CLEAN_INTERVAL_MS: u64 = 60_000;

/// Batches at a log's end whose places are known exactly: what some milliseconds of small batches are, which is how
/// far readers at the end lag. Eight bytes each; whoever lags more costs a read of some 32 KiB.
pub const TAIL_BATCHES_MAX: usize = 256;

/// Bytes of a segment from one entry of its index in memory to the next: a look-up then is one quick read, and a
/// segment of 1 GiB takes 256 KiB. Kafka maps its whole index, eight times as much.
pub const INDEX_SPARSE_BYTES: u32 = 32 << 10;

/// Bytes of index entries that a log keeps before it writes them behind the others: what some 50 MiB of batches
/// make, so that few syncs are added. A segment of 1 GiB has 5 MiB of them, too much for each of thousands of logs.
pub const INDEX_UNWRITTEN_BYTES_MAX: usize = 256 << 10;

/// Bytes of one group's members, with their names and all that they say of themselves, where Kafka has no limit: the
/// leader is told of all members in one frame, which has an end. What is said in the protocol of a generation has to
/// fit in one batch, of 1 MiB by default, so ten thousand members with several protocols each have room.
pub const GROUP_MEMBERS_BYTES_MAX: usize = 64 << 20;

/// Bytes that an answer about several groups tells of them, before the last one that still has room: a short request
/// can ask for one large group many times. For the others there is no coordinator yet, so that clients ask again for
/// these alone. Ten thousand groups of ten members each have room.
pub const GROUPS_ANSWER_BYTES_MAX: usize = 32 << 20;

/// Member ids of one group that were handed out and not used yet (KIP-394), where Kafka has no limit: as many new
/// members as may come at one moment. Whoever means to use its id does so at once, so the oldest is forgotten.
pub const GROUP_PENDING_MEMBERS_MAX: usize = 1 << 14;

/// Bytes of those ids, which begin with names that clients make up: a name of 32 KiB costs nothing more than a request.
pub const GROUP_PENDING_BYTES_MAX: usize = 2 << 20;

/// A new member that waits so long for the others is taken for gone, and must ask again, as in Kafka
/// (`CLASSIC_GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS`).
pub const NEW_MEMBER_JOIN_TIMEOUT_MS: i32 = 5 * 60 * 1000;

/// How soon a group looks again whether its static members are back, when they claim to join in no time: Kafka would
/// look all the time.
pub const REBALANCE_RETRY_MS_MIN: i32 = 100;

/// Bytes that a compaction reads and writes before it gives its worker back: some milliseconds, so that it can be
/// given up, held to `log.cleaner.io.max.bytes.per.second`, and lets others go first.
pub const COMPACTION_SLICE_BYTES: u64 = 4 << 20;

/// Connections that, each reading as far ahead as it may, take the request budget once more.
pub const READERS_AHEAD: usize = 1_024;

/// Limits of one broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `socket.request.max.bytes`: a longer frame closes the connection. Kafka's default.
    pub frame_bytes_max: u32,
    /// A frame up to this size gets its room at once; a longer one grows by doubling with what
    /// arrives, so that a length alone costs a peer nothing more than this.
    pub frame_eager_bytes: u32,
    /// A frame up to this size is copied out of the input buffer, and so is one below an eighth of a read's room: as
    /// a slice it would keep all of that room alive until its answer, beyond its charge, and leave none for the next
    /// read. Copying a page or two costs less than a new buffer.
    pub frame_copied_bytes_max: u32,
    /// A frame that is begun must be whole within this time, or a stalled peer would hold its
    /// share of the request budget for ever.
    pub frame_timeout_ms: u64,
    /// `connections.max.idle.ms`: a connection on which nothing moves for so long is closed, so that peers that have
    /// vanished, or never read, do not add up; `None` for never. Kafka's default.
    pub connection_idle_ms: Option<u64>,
    /// Room for a first read: some small requests in one call, or the front of a large one. It is what each of many
    /// connections holds that wait for the budget.
    pub read_bytes: u32,
    /// What that room grows to for a peer that fills it again and again: several large requests of its pipeline then
    /// are one read, one turn, one write and one answer, for a third less processor time (64 KiB each, five in flight).
    /// It is the most that an uncharged connection holds; a share of the request budget ([`READERS_AHEAD`]), if that
    /// is less.
    pub read_ahead_bytes_max: u32,
    /// Requests of one connection that wait for answers. Clients pipeline five (Java) to a few
    /// hundred (librdkafka's default is a million, bounded by its own queue).
    pub requests_unanswered_max: usize,
    /// Answers of one connection that have not left yet; beyond it no further request is taken.
    pub unsent_bytes_max: usize,
    /// `queued.max.request.bytes`: request bytes in all, over all connections; Kafka's -1 becomes
    /// this. A quarter of a small machine.
    pub request_budget_bytes: usize,
    /// Decompressed bytes of one batch: a megabyte of zeros compresses a thousandfold, and each byte
    /// costs the connection's thread time.
    pub decompressed_bytes_max: u64,
    /// Bytes of batches that one connection's unanswered requests may take because their topics store
    /// another codec: they lie beside the request budget, and small compressed batches can grow a
    /// thousandfold. One batch up to `max.message.bytes` is always allowed.
    pub converted_bytes_max: usize,
    /// A block of snappy, decompressed: it has to be held whole. Clients that do not frame their
    /// blocks make one of a whole batch.
    pub snappy_block_bytes_max: usize,
    /// What a zstandard frame's window may hold: that of the levels up to 19, and what RFC 8878
    /// recommends.
    pub zstd_window_bytes_max: usize,
    /// Record errors listed in the answers to one Produce request. Kafka lists all; a small
    /// compressed batch can hold millions of bad records, each worth some hundred bytes of text.
    pub record_errors_max: usize,
    /// Jobs at once: they read the same disks, and each holds one piece.
    pub jobs_max: usize,
    /// Logs whose index files and snapshots are handed out for writing in one turn of a clean stop. More
    /// follow when these are written.
    pub seals_per_turn_max: usize,
    /// What a job reads at once.
    pub job_piece_bytes: u32,
    /// The largest batch of the metadata log, which must be held whole. Kafka writes none above 8 MiB
    /// (`KafkaRaftClient.MAX_BATCH_SIZE_BYTES`); a length far above it is damage.
    pub metadata_batch_bytes_max: u32,
    /// A produce waits at least this long for its sync, whatever its `timeout_ms`: that is a time for other
    /// replicas, and Kafka answers a timeout of 0 with success when there are none.
    pub produce_wait_ms_min: u64,
    /// Waits that one turn ends; more are ended by turns of their own, so that the lock is never held long.
    pub waits_per_turn_max: usize,
    /// Logs that a turn of periodic work looks at; others wait for the next.
    pub logs_per_turn_max: usize,
    /// Producers that a turn of periodic work forgets: a millisecond or two.
    pub expiries_per_turn_max: usize,
    /// Segments that a turn renames or unlinks: some five operations each.
    pub removals_per_turn_max: usize,
    /// A checkpoint or `meta.properties` larger than this is not read: a hundred thousand partitions fit.
    pub small_file_bytes_max: u32,
    /// How often the synced checkpoint is written when it has changed: what a crash makes recovery read.
    pub synced_checkpoint_interval_ms: u64,
    /// Events about misbehaving peers per second; a flood must not fill the log.
    pub peer_events_per_second: u32,
    /// Events about damage in logs that are served: every reader that comes by meets it again.
    pub damage_events_per_second: u32,
    /// `max.request.partition.size.limit`: partitions in one DescribeTopicPartitions answer. Kafka's default.
    pub describe_partitions_max: i32,
    /// `fetch.max.bytes`: record bytes in one Fetch answer. Kafka's default.
    pub fetch_bytes_max: u32,
    /// `max.incremental.fetch.session.cache.slots`: fetch sessions at once. Kafka's default.
    pub fetch_sessions_max: usize,
    /// A session that was not used for so long may be evicted for another, as in Kafka
    /// (`KafkaBroker.MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS`), and is given up when its connection is gone.
    pub fetch_session_eviction_ms: u64,
    /// What all sessions remember of their partitions, 256 bytes each: a thousand sessions of a hundred thousand
    /// partitions would be 25 GiB. Who finds no room goes without a session.
    pub fetch_session_bytes_max: usize,
    /// What the fetches that wait hold beside their sessions; beyond it they are answered at once.
    pub fetch_waiting_bytes_max: usize,
    /// Partitions that fetches gather, read, answer or are woken for in one turn; the rest in turns of its own, so
    /// that a fetch of a hundred thousand does not hold the lock for long.
    pub fetch_steps_per_turn_max: usize,
    /// What CreateTopics requests hold that wait for the metadata log; beyond it they are answered REQUEST_TIMED_OUT,
    /// which clients repeat. A thousand of the largest would be gigabytes.
    pub changes_waiting_bytes_max: usize,
    /// Threads for slow effects beside those that jobs may hold: renames and listings do not wait for recovery.
    pub effect_workers: usize,
    /// Threads that sync. 1,000 dirty files of 4 KiB took 225 ms one after another, 71 ms on eight.
    pub sync_workers: usize,
    /// Files kept open, about; those with unsynced writes stay open beyond it. Half of the usual
    /// 1,024 descriptors of a process; opening one again costs some microseconds.
    pub open_files_max: usize,
    /// Threads that share out the connections of a driver of tasks, where there are so many processors:
    /// beyond it they would only contend for the machine's lock.
    pub executor_threads_max: usize,
    /// Connections that wait in a listener's backlog: a thousand clients that come at once would find 128 places
    /// full, and try again a second later. The system may allow fewer.
    pub listen_backlog: i32,
    /// Connections at once, whatever `max.connections` says; who comes later waits in the backlog, as in Kafka, until
    /// another ends (by its idle time at the latest). Kafka's default, 2147483647, becomes this. An idle one
    /// costs 14 to 17 KiB as a thread, 3 to 5 KiB as a task (measured with 1,000).
    pub connections_max: usize,
    /// Requests of one connection in one turn, so that a pipelining peer does not hold the lock for long.
    pub turn_requests_max: usize,
    /// Shorter file ranges are read and leave with their neighbours in one call; a sendfile costs
    /// about as much as copying this many bytes.
    pub sendfile_bytes_min: u64,
    /// How long connections may go on sending when the broker has stopped, and how long one that ends
    /// by its peer's fault waits for the peer to take its last answers and close.
    pub shutdown_send_ms: u64,
    /// The pause after a failed accept: without descriptors the next one fails too. Also between two looks at
    /// `max.connections`, once they are reached: it may be raised.
    pub accept_pause_ms: u64,
}

impl Limits {
    /// The longest batch that is read back from a log whole: what a request can bring, or could before
    /// `socket.request.max.bytes` was lowered. A length above it is damage.
    pub fn stored_batch_bytes_max(&self) -> usize {
        self.frame_bytes_max.max(FRAME_BYTES_MAX_DEFAULT) as usize
    }
}

/// Kafka's default of `socket.request.max.bytes`.
const FRAME_BYTES_MAX_DEFAULT: u32 = 104_857_600;

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes_max: FRAME_BYTES_MAX_DEFAULT,
            frame_eager_bytes: 1 << 20,
            frame_copied_bytes_max: 8 << 10,
            frame_timeout_ms: 60_000,
            connection_idle_ms: Some(600_000),
            read_bytes: 64 << 10,
            read_ahead_bytes_max: 256 << 10,
            requests_unanswered_max: 256,
            unsent_bytes_max: 4 << 20,
            request_budget_bytes: 256 << 20,
            decompressed_bytes_max: 256 << 20,
            converted_bytes_max: 64 << 20,
            snappy_block_bytes_max: 64 << 20,
            zstd_window_bytes_max: 8 << 20,
            record_errors_max: 10_000,
            jobs_max: 4,
            seals_per_turn_max: 256,
            job_piece_bytes: 1 << 20,
            metadata_batch_bytes_max: 64 << 20,
            produce_wait_ms_min: 10_000,
            waits_per_turn_max: 4_096,
            logs_per_turn_max: 256,
            expiries_per_turn_max: 4_096,
            removals_per_turn_max: 64,
            small_file_bytes_max: 16 << 20,
            synced_checkpoint_interval_ms: 5_000,
            peer_events_per_second: 10,
            damage_events_per_second: 10,
            describe_partitions_max: 2_000,
            fetch_bytes_max: 57_671_680,
            fetch_sessions_max: 1_000,
            fetch_session_eviction_ms: 120_000,
            fetch_session_bytes_max: 96 << 20,
            fetch_waiting_bytes_max: 128 << 20,
            fetch_steps_per_turn_max: 4_096,
            changes_waiting_bytes_max: 64 << 20,
            effect_workers: 2,
            sync_workers: 8,
            open_files_max: 512,
            executor_threads_max: 8,
            listen_backlog: 4_096,
            connections_max: 10_000,
            turn_requests_max: 64,
            sendfile_bytes_min: 16 << 10,
            shutdown_send_ms: 1_000,
            accept_pause_ms: 100,
        }
    }
}
