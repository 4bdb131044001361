//! The table of broken brokers: how each is made, the runs that it is looked for in, and what is
//! said when it is found.

use super::{
    AnswersBeforeSync, AnswersChangesBeforeSync, AnswersCommitsEarly, AnswersDuplicatesEarly,
    AppendsElsewhere, BelievesOldGenerations, CompactsUnsynced, DeletesNothing, DeletesOfAnother,
    DeletesWhatItRefuses, DropsCommits, EndsPastHole, FencesNobody, ForgetsAnswers,
    ForgetsAppendTime, ForgetsDeletions, ForgetsDirectorySync, ForgetsInSession, ForgetsLogStarts,
    ForgetsMembers, ForgetsMetadata, ForgetsSequences, ForgetsSettings, ForgetsWhileLoading,
    GarblesRecords, GivesOldParts, GivesPartsTwice, GivesProducerIdsTwice, GrowsTooLittle,
    HasTwoLeaders, HidesRebalances, LeaksBudget, LeaksConnections, LeaksFiles, LeaksSessions,
    LeavesDirectories, LosesDirectories, LosesJoins, LowersHighWatermark, MakesHalf,
    MakesWhatIsLookedAt, MakesWhatIsTried, MisplacesOffsets, MixesUpIds, MixesUpKeys, Panics,
    RebalancesForEver, RefusesCommitsItKeeps, RefusesWhatItTakes, RemovesBeforeReplacing,
    RenamesInUse, ReordersAnswers, ReplacesWithoutSync, ReusesGenerations, ReusesOffsets,
    ServesOldImages, ServesUnsynced, SkipsCrcInRecovery, TellsLaterEpochEnds, TellsOldIds,
    TellsOlderOffsets, TrustsTornIndex, WakesNobody,
};
use super::{
    BuriesGroups, DisownsTheFenced, ForgetsOffsetsOfLiving, ForgetsProducers, HidesGroups,
    IgnoresFilters, LeavesOffsets, ListsDeletedGroups, MisstatesGroups, RevivesOffsets,
};
use crate::decisions::Decisions;
use crate::disk::Crash;
use crate::layer::Layer;
use crate::options::{Options, Strike, StrikeKind};
use crate::world::{Failure, World};

/// One broken broker.
#[derive(Clone, Copy, Debug)]
pub struct Control {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does.
    pub does: &'static str,
    /// A part of what is said when it is found.
    pub says: &'static str,
    /// Runs, from seed 0 on, within which it is found.
    pub seeds: u64,
    options: fn() -> Options,
    breaks: fn(World) -> World,
}

/// How a search for a broken broker ends.
#[derive(Clone, Debug)]
pub enum Search {
    /// It was found, in the run of this seed, by the check that is there for it.
    Found(u64, Box<Failure>),
    /// The honest broker fails in the same run.
    Unfair(u64, Box<Failure>),
    /// It was not; and what was said instead.
    Missed(Vec<String>),
}

impl Control {
    /// The one of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CONTROLS.iter().find(|control| control.name == name)
    }

    /// What the runs are like that it is looked for in.
    pub fn options(&self) -> Options {
        (self.options)()
    }

    /// A run with the broken broker in the honest one's place.
    pub fn broken(&self, honest: World) -> World {
        (self.breaks)(honest)
    }

    fn honest(&self, seed: u64) -> World {
        World::new(self.options(), Decisions::from_seed(seed))
    }

    /// Looks for it; the honest broker is held against the same runs.
    pub fn search(&self) -> Search {
        let mut instead = Vec::new();
        for seed in 0..self.seeds {
            if let Err(failure) = self.honest(seed).run() {
                return Search::Unfair(seed, failure);
            }
            match self.broken(self.honest(seed)).run() {
                Err(failure) if failure.message.contains(self.says) => {
                    return Search::Found(seed, failure);
                }
                Err(failure) => instead.push(failure.message),
                Ok(_) => {}
            }
        }
        Search::Missed(instead)
    }
}

fn layered<L: Layer + Default + 'static>(world: World) -> World {
    world.with_layer(Box::new(L::default()))
}

/// All of them.
pub const CONTROLS: &[Control] = &[
    Control {
        name: "panics",
        does: "panics at its fifth answer",
        says: "panic: nobody asks five times",
        seeds: 40,
        options: || Options { requests: 20, ..Options::calm() },
        breaks: layered::<Panics>,
    },
    Control {
        name: "answers-before-sync",
        does: "tells of syncs of logs as done, and does none",
        says: "was acknowledged",
        seeds: 40,
        options: || with_crashes(Options::calm(), Crash::PowerLoss),
        breaks: layered::<AnswersBeforeSync>,
    },
    Control {
        name: "forgets-directory-sync",
        does: "syncs the content of new files, and not their names",
        says: "was acknowledged",
        seeds: 40,
        // Small segments: each one is a new file.
        options: || {
            let options = Options { segment_bytes: 2048, ..Options::calm() };
            with_crashes(options, Crash::PowerLoss)
        },
        breaks: layered::<ForgetsDirectorySync>,
    },
    Control {
        name: "ends-past-hole",
        does: "moves a log's end past a write that has not happened",
        says: "was acknowledged",
        seeds: 40,
        options: || with_crashes(Options::calm(), Crash::Killed),
        breaks: layered::<EndsPastHole>,
    },
    Control {
        name: "skips-crc-in-recovery",
        does: "takes any checksum for good in recovery",
        says: "promise: ",
        seeds: 40,
        options: || {
            let options = Options { value_bytes_max: 4096, ..Options::calm() };
            with_crashes(options, Crash::PowerLoss)
        },
        breaks: layered::<SkipsCrcInRecovery>,
    },
    Control {
        name: "forgets-append-time",
        does: "stamps nothing, where a topic wants the broker's time",
        // Its type is wrong, or the largest one is when that is the first to be looked at.
        says: "timestamp",
        seeds: 40,
        options: || Options { append_time_topics: 1, ..Options::calm() },
        breaks: layered::<ForgetsAppendTime>,
    },
    Control {
        name: "reorders-answers",
        does: "answers a request with what belongs to the one before",
        says: "promise: ",
        seeds: 40,
        options: || Options { requests: 30, pipeline: 6, batch_records_max: 1, ..Options::calm() },
        breaks: layered::<ReordersAnswers>,
    },
    Control {
        name: "forgets-answers",
        does: "answers one request in ten never",
        says: "liveness: requests are unanswered",
        seeds: 40,
        options: || Options { requests: 30, ..Options::calm() },
        breaks: layered::<ForgetsAnswers>,
    },
    Control {
        name: "garbles-records",
        does: "writes a record with another byte, and the checksum to match",
        says: "promise: ",
        seeds: 40,
        options: || Options { requests: 20, ..Options::calm() },
        breaks: layered::<GarblesRecords>,
    },
    Control {
        name: "appends-elsewhere",
        does: "appends now and then to the partition beside",
        // Or two records are told the same offset, before anybody looks.
        says: "promise: ",
        seeds: 40,
        options: || Options { requests: 20, partitions: 2, ..Options::calm() },
        breaks: layered::<AppendsElsewhere>,
    },
    Control {
        name: "refuses-what-it-takes",
        does: "appends a batch and says that the topic is not there",
        says: "was refused",
        seeds: 40,
        options: || Options { requests: 20, ..Options::calm() },
        breaks: layered::<RefusesWhatItTakes>,
    },
    Control {
        name: "trusts-torn-index",
        does: "serves from the place of the next batch",
        says: "for a fetch from",
        seeds: 40,
        options: with_consumers,
        breaks: layered::<TrustsTornIndex>,
    },
    Control {
        name: "serves-unsynced",
        does: "serves what is written and not yet synced",
        says: "before they were synced",
        seeds: 40,
        options: || Options { seek_per_mille: 0, ..with_consumers() },
        breaks: layered::<ServesUnsynced>,
    },
    Control {
        name: "lowers-high-watermark",
        does: "lets the high watermark fall",
        says: "was told before",
        seeds: 40,
        options: with_consumers,
        breaks: layered::<LowersHighWatermark>,
    },
    Control {
        name: "reuses-offsets",
        does: "tells producers an offset that another one was told",
        says: "was given to record",
        seeds: 40,
        options: || Options { requests: 20, ..Options::calm() },
        breaks: layered::<ReusesOffsets>,
    },
    Control {
        name: "wakes-nobody",
        does: "ends no fetch that waits before its time",
        says: "was not woken",
        seeds: 40,
        options: with_consumers,
        breaks: layered::<WakesNobody>,
    },
    Control {
        name: "leaks-sessions",
        does: "keeps fetch sessions that were ended",
        says: "the broker still keeps",
        seeds: 40,
        options: || Options { session_per_mille: 1000, ..with_consumers() },
        breaks: layered::<LeaksSessions>,
    },
    Control {
        name: "leaks-connections",
        does: "does not notice each second connection's end",
        says: "the broker still keeps Kept { connections: ",
        seeds: 40,
        options: || Options { clients: 3, ..Options::calm() },
        breaks: layered::<LeaksConnections>,
    },
    Control {
        name: "leaks-budget",
        does: "takes less of the request budget back than was granted",
        says: "bytes of the request budget are held",
        seeds: 40,
        options: || Options { requests: 30, clients: 2, ..Options::calm() },
        breaks: layered::<LeaksBudget>,
    },
    Control {
        name: "forgets-in-session",
        does: "says nothing, in a session, of a partition that has changed",
        says: "promise: ",
        seeds: 40,
        options: || Options { session_per_mille: 1000, ..with_consumers() },
        breaks: layered::<ForgetsInSession>,
    },
    Control {
        name: "answers-duplicates-early",
        does: "answers a repeated batch before the first one is safe",
        says: "was acknowledged",
        seeds: 40,
        options: || {
            let options = Options { idempotent: 1, resent_per_mille: 500, ..Options::calm() };
            let options = Options { disk_micros_max: 20_000, ..options };
            with_crashes(options, Crash::PowerLoss)
        },
        breaks: layered::<AnswersDuplicatesEarly>,
    },
    Control {
        name: "forgets-sequences",
        does: "forgets in a start what producers have sent",
        says: "lies at offset",
        seeds: 40,
        options: || {
            let kind = StrikeKind::Stop;
            let strikes = [400, 800, 1200].map(|at_event| Strike { at_event, kind }).to_vec();
            let options = Options { requests: 40, strikes, ..Options::calm() };
            Options { idempotent: 1, resent_per_mille: 500, ..options }
        },
        breaks: layered::<ForgetsSequences>,
    },
    Control {
        name: "gives-producer-ids-twice",
        does: "gives every producer the same id",
        says: "was given twice",
        seeds: 40,
        options: || Options { clients: 3, idempotent: 3, ..Options::calm() },
        breaks: layered::<GivesProducerIdsTwice>,
    },
    Control {
        name: "forgets-log-starts",
        does: "tells of a log start as durable that never is",
        says: "was told before",
        seeds: 40,
        options: || with_crashes(with_deletions(), Crash::Killed),
        breaks: layered::<ForgetsLogStarts>,
    },
    Control {
        name: "retains-too-little",
        does: "deletes beyond the bound of retention",
        says: "nothing beyond",
        seeds: 40,
        options: || Options { retention_bytes: 20_000, task_interval_ms: 20, ..with_consumers() },
        breaks: |world| world.with_config(|config| config.topic_defaults.retention_bytes = 3_000),
    },
    Control {
        name: "deletes-what-it-refuses",
        does: "says that a deletion is out of range, and deletes up to the end",
        // A later start is told, or deleted up to, or a record is missed.
        says: "promise: ",
        seeds: 40,
        options: with_deletions,
        breaks: layered::<DeletesWhatItRefuses>,
    },
    Control {
        name: "tells-later-ends",
        does: "tells of an end of a log that nobody has written to",
        says: "latest offset",
        seeds: 40,
        options: with_deletions,
        breaks: |world| {
            world.with_layer(Box::new(MisplacesOffsets::found(|timestamp_ms| timestamp_ms == -1)))
        },
    },
    Control {
        name: "misplaces-times",
        does: "finds the record behind the first one of a time",
        says: "timestamp",
        seeds: 40,
        options: with_deletions,
        breaks: |world| {
            world.with_layer(Box::new(MisplacesOffsets::found(|timestamp_ms| timestamp_ms >= 0)))
        },
    },
    Control {
        name: "tells-later-epoch-ends",
        does: "tells of an epoch that ends behind the log",
        says: "an epoch ends at",
        seeds: 40,
        options: with_deletions,
        breaks: layered::<TellsLaterEpochEnds>,
    },
    Control {
        name: "answers-changes-before-sync",
        does: "tells of the metadata log's syncs as done before they are",
        says: "there may be",
        seeds: 40,
        options: || with_strikes(Crash::PowerLoss),
        breaks: layered::<AnswersChangesBeforeSync>,
    },
    Control {
        name: "makes-half",
        does: "writes all partitions of a new topic but the last",
        says: "there may be",
        seeds: 40,
        options: || with_strikes(Crash::Killed),
        breaks: layered::<MakesHalf>,
    },
    Control {
        name: "forgets-deletions",
        does: "writes nothing of topics that it deletes",
        says: "there may be",
        seeds: 40,
        options: || with_strikes(Crash::Killed),
        breaks: layered::<ForgetsDeletions>,
    },
    Control {
        name: "forgets-settings",
        does: "writes nothing of settings that it is told",
        says: "there may be",
        seeds: 40,
        options: || with_strikes(Crash::Killed),
        breaks: layered::<ForgetsSettings>,
    },
    Control {
        name: "leaves-directories",
        does: "leaves the directories of deleted topics to the next ones of their names",
        // Whatever comes first of it: the records, the directory, or an effect that finds another file.
        says: "",
        seeds: 40,
        options: with_administrators,
        breaks: layered::<LeavesDirectories>,
    },
    Control {
        name: "renames-in-use",
        does: "renames a directory while its log is written to",
        says: "renamed, unlinked or closed while an effect on it is out",
        seeds: 40,
        options: with_administrators,
        breaks: layered::<RenamesInUse>,
    },
    Control {
        name: "mixes-up-ids",
        does: "writes the id of another topic into the directories of partitions",
        says: "",
        seeds: 40,
        options: || with_strikes(Crash::Killed),
        breaks: layered::<MixesUpIds>,
    },
    Control {
        name: "deletes-nothing",
        does: "says that a topic is deleted, and keeps it",
        says: "there may be",
        seeds: 40,
        options: with_administrators,
        breaks: layered::<DeletesNothing>,
    },
    Control {
        name: "makes-what-is-tried",
        does: "makes topics that were only to be tried",
        says: "there may be",
        seeds: 40,
        options: with_administrators,
        breaks: layered::<MakesWhatIsTried>,
    },
    Control {
        name: "makes-what-is-looked-at",
        does: "makes topics that clients ask for without wanting them made",
        says: "there may be",
        seeds: 40,
        options: with_administrators,
        breaks: layered::<MakesWhatIsLookedAt>,
    },
    Control {
        name: "tells-old-ids",
        does: "tells a new topic's id as that of the last one of the name",
        says: "there may be",
        seeds: 40,
        options: with_administrators,
        breaks: layered::<TellsOldIds>,
    },
    Control {
        name: "grows-too-little",
        does: "gives a topic one partition less than it says",
        says: "there may be",
        seeds: 40,
        options: with_administrators,
        breaks: layered::<GrowsTooLittle>,
    },
    Control {
        name: "serves-old-images",
        does: "answers from an image that is no longer the newest",
        says: "there may be",
        seeds: 40,
        options: with_administrators,
        breaks: layered::<ServesOldImages>,
    },
    Control {
        name: "loses-directories",
        does: "gives a partition's directory another name as it stops",
        says: "has no directory",
        seeds: 40,
        // No records: their loss would be found first.
        options: || {
            let strikes = vec![Strike { at_event: 400, kind: StrikeKind::Stop }];
            Options { requests: 0, strikes, ..Options::calm() }
        },
        breaks: layered::<LosesDirectories>,
    },
    Control {
        name: "leaks-files",
        does: "opens a log anew for each read",
        says: "one file is open under",
        seeds: 40,
        options: with_consumers,
        breaks: layered::<LeaksFiles>,
    },
    Control {
        name: "answers-commits-early",
        does: "answers commits before they are safe",
        says: "there may be",
        seeds: 120,
        options: || Options { disk_micros_max: 20_000, ..with_overseers(Crash::PowerLoss) },
        breaks: layered::<AnswersCommitsEarly>,
    },
    Control {
        name: "drops-commits",
        does: "keeps nothing of each third commit, and says that it does",
        says: "there may be",
        seeds: 40,
        options: with_members,
        breaks: layered::<DropsCommits>,
    },
    Control {
        name: "refuses-commits-it-keeps",
        does: "says of commits that it keeps that it does not",
        says: "there may be",
        seeds: 40,
        options: with_members,
        breaks: layered::<RefusesCommitsItKeeps>,
    },
    Control {
        name: "tells-older-offsets",
        does: "tells now and then what a group had committed before",
        says: "there may be",
        seeds: 40,
        options: with_members,
        breaks: layered::<TellsOlderOffsets>,
    },
    Control {
        name: "forgets-metadata",
        does: "forgets what clients say about their offsets",
        says: "there may be",
        seeds: 40,
        options: with_members,
        breaks: layered::<ForgetsMetadata>,
    },
    Control {
        name: "forgets-while-loading",
        does: "says that nothing was committed while it reads its log",
        says: "there may be",
        seeds: 40,
        options: || Options { disk_micros_max: 20_000, ..with_member_crashes(Crash::Killed) },
        breaks: layered::<ForgetsWhileLoading>,
    },
    Control {
        name: "gives-parts-twice",
        does: "gives two members one part",
        says: "which no leader has said",
        seeds: 40,
        options: with_members,
        breaks: layered::<GivesPartsTwice>,
    },
    Control {
        name: "gives-old-parts",
        does: "gives members what they had in the generation before",
        says: "which no leader has said",
        seeds: 40,
        options: with_members,
        breaks: layered::<GivesOldParts>,
    },
    Control {
        name: "believes-old-generations",
        does: "believes whoever claims an old generation",
        says: "is accepted",
        seeds: 40,
        options: with_offenders,
        breaks: layered::<BelievesOldGenerations>,
    },
    Control {
        name: "loses-joins",
        does: "loses the answer to a member that joins",
        says: "liveness: requests are unanswered",
        seeds: 40,
        options: with_members,
        breaks: layered::<LosesJoins>,
    },
    Control {
        name: "hides-rebalances",
        does: "tells members that all is well while others join",
        says: "is accepted",
        seeds: 40,
        options: with_members,
        breaks: layered::<HidesRebalances>,
    },
    Control {
        name: "rebalances-for-ever",
        does: "tells members without end to join again",
        says: "",
        seeds: 40,
        options: with_members,
        breaks: layered::<RebalancesForEver>,
    },
    Control {
        name: "deletes-of-another",
        does: "deletes another group than it was told to",
        says: "there may be",
        seeds: 40,
        options: with_members,
        breaks: layered::<DeletesOfAnother>,
    },
    Control {
        name: "fences-nobody",
        does: "believes members whose place others have",
        says: "is accepted",
        seeds: 40,
        options: with_offenders,
        breaks: layered::<FencesNobody>,
    },
    Control {
        name: "disowns-the-fenced",
        does: "says of members whose place others have that nobody knows them",
        says: "which",
        seeds: 80,
        options: with_twins,
        breaks: layered::<DisownsTheFenced>,
    },
    Control {
        name: "lets-twins-live",
        does: "believes both of two who have one instance id",
        says: "is accepted",
        seeds: 40,
        options: with_twins,
        breaks: layered::<FencesNobody>,
    },
    Control {
        name: "reuses-generations",
        does: "tells members of generations that are over",
        says: "",
        seeds: 40,
        options: with_members,
        breaks: layered::<ReusesGenerations>,
    },
    Control {
        name: "has-two-leaders",
        does: "tells every member that it leads",
        says: "is led by",
        seeds: 40,
        options: with_members,
        breaks: layered::<HasTwoLeaders>,
    },
    Control {
        name: "forgets-members",
        does: "forgets members when nothing has happened",
        says: "and nobody has come, gone, or been silent",
        seeds: 40,
        options: with_members,
        breaks: layered::<ForgetsMembers>,
    },
    Control {
        name: "revives-offsets",
        does: "tells what was committed of topics that are deleted",
        says: "there may be",
        seeds: 80,
        options: with_passing_commits,
        breaks: |world| world.with_layer(Box::new(RevivesOffsets::by_name())),
    },
    Control {
        name: "tells-offsets-of-old-topics",
        does: "tells of a topic by its id what was committed of an earlier one of its name",
        says: "there may be",
        seeds: 80,
        options: with_passing_commits,
        breaks: |world| world.with_layer(Box::new(RevivesOffsets::by_id())),
    },
    Control {
        name: "forgets-offsets-of-living",
        does: "forgets what was committed of topics that are there",
        says: "there may be",
        seeds: 80,
        options: with_passing_commits,
        breaks: layered::<ForgetsOffsetsOfLiving>,
    },
    Control {
        name: "leaves-offsets",
        does: "keeps in its log what was committed of topics that are deleted",
        // Or it is told again after a crash.
        says: "promise: ",
        seeds: 80,
        options: with_passing_commits,
        breaks: layered::<LeavesOffsets>,
    },
    Control {
        name: "hides-groups",
        does: "leaves groups out of lists",
        says: "it is not told of",
        seeds: 40,
        options: with_members,
        breaks: layered::<HidesGroups>,
    },
    Control {
        name: "lists-deleted-groups",
        does: "goes on listing groups that are deleted",
        says: "nobody has made it, or not again",
        seeds: 80,
        options: || with_overseers(Crash::Killed),
        breaks: layered::<ListsDeletedGroups>,
    },
    Control {
        name: "misstates-groups",
        does: "lists groups whose members are at work as empty",
        says: "and must be Stable",
        seeds: 80,
        options: with_members,
        breaks: layered::<MisstatesGroups>,
    },
    Control {
        name: "buries-groups",
        does: "describes groups that are there as dead",
        says: "it is not told of",
        seeds: 40,
        options: with_members,
        breaks: layered::<BuriesGroups>,
    },
    Control {
        name: "ignores-filters",
        does: "lists groups that were not asked for",
        says: "were asked for",
        seeds: 40,
        options: with_members,
        breaks: layered::<IgnoresFilters>,
    },
    Control {
        name: "mixes-up-keys",
        does: "drops the last record of a key when another key has a later one",
        says: "was acknowledged",
        seeds: 80,
        options: with_compaction,
        breaks: |world| world.with_layer(Box::new(MixesUpKeys::new(COMPACTED_KEYS))),
    },
    Control {
        name: "mixes-up-retained-keys",
        does: "drops the last record of a key that retention may take, and has not taken",
        says: "was acknowledged",
        seeds: 80,
        // It looks for it once in five minutes.
        options: || Options {
            compact_and_delete: 1,
            compact_keys: 1_000,
            retention_bytes: 1,
            ..with_compaction()
        },
        breaks: |world| world.with_layer(Box::new(MixesUpKeys::new(1_000))),
    },
    Control {
        name: "retains-too-little-of-compacted",
        does: "deletes of a compacted log beyond the bound of retention",
        says: "nothing beyond",
        seeds: 80,
        options: || Options {
            compact_and_delete: 1,
            compact_keys: 50,
            retention_bytes: 6_000,
            task_interval_ms: 20,
            ..with_compaction()
        },
        breaks: |world| world.with_config(|config| config.topic_defaults.retention_bytes = 1_500),
    },
    Control {
        name: "forgets-tombstones",
        does: "drops tombstones before their time",
        says: "was acknowledged",
        seeds: 40,
        options: || Options { tombstones_per_mille: 500, compact_keys: 40, ..with_compaction() },
        breaks: |world| world.with_config(|config| config.topic_defaults.delete_retention_ms = 0),
    },
    Control {
        name: "forgets-producers",
        does: "forgets whose the batches are that are kept, without records, for their producers",
        // It is not told of, or what it sends again is taken for new.
        says: "is known as",
        seeds: 80,
        options: with_idle_producers,
        breaks: layered::<ForgetsProducers>,
    },
    Control {
        name: "compacts-unsynced",
        does: "puts compacted segments in place that are not synced",
        says: "before they were synced",
        seeds: 80,
        options: || with_compaction_and(Crash::PowerLoss),
        breaks: layered::<CompactsUnsynced>,
    },
    Control {
        name: "replaces-without-sync",
        does: "puts compacted segments in place by renames that are not durable one before the other",
        says: "promise: ",
        seeds: 120,
        // Many replacements, and time for the power to go in them.
        options: || Options {
            segment_bytes: 900,
            compact_keys: 20,
            disk_micros_max: 4_000,
            ..with_compaction_and(Crash::PowerLoss)
        },
        breaks: layered::<ReplacesWithoutSync>,
    },
    Control {
        name: "removes-before-replacing",
        does: "takes old segments away before the compacted ones stand for them",
        says: "promise: ",
        seeds: 80,
        options: || with_compaction_and(Crash::Killed),
        breaks: layered::<RemovesBeforeReplacing>,
    },
];

/// Keys of a compacted topic.
const COMPACTED_KEYS: u64 = 5;

/// A topic that is compacted as often as it can be, and read.
fn with_compaction() -> Options {
    Options {
        requests: 60,
        segment_bytes: 1_500,
        value_bytes_max: 200,
        compacted_topics: 1,
        compact_keys: COMPACTED_KEYS,
        cleaner_backoff_ms: 1,
        checkpoint_interval_ms: 1,
        file_delete_delay_ms: 1,
        consumers: 1,
        consumer_requests: 20,
        ..Options::calm()
    }
}

fn with_compaction_and(crash: Crash) -> Options {
    let kind = StrikeKind::Crash(crash);
    let strikes = (1..12).map(|at| Strike { at_event: 230 * at, kind });
    Options { requests: 90, strikes: strikes.collect(), ..with_compaction() }
}

/// Producers that give up what cannot succeed, and go on under other ids; and somebody who asks for the old ones.
fn with_idle_producers() -> Options {
    let kind = StrikeKind::Crash(Crash::Killed);
    let strikes = (2..9).map(|at| Strike { at_event: 2_000 * at, kind });
    Options {
        strikes: strikes.collect(),
        clients: 3,
        idempotent: 3,
        unknown_topic_per_mille: 100,
        compact_keys: 1,
        inquirers: 2,
        inquirer_requests: 200,
        ..with_compaction()
    }
}

/// Topics come and go beside producers and a consumer.
fn with_administrators() -> Options {
    Options {
        requests: 30,
        consumers: 1,
        consumer_requests: 20,
        administrators: 2,
        administrator_requests: 30,
        passing_topics: 2,
        passing_partitions: 3,
        file_delete_delay_ms: 5,
        ..Options::calm()
    }
}

fn with_strikes(crash: Crash) -> Options {
    let kind = StrikeKind::Crash(crash);
    let strikes = [400, 900, 1500, 2200].map(|at_event| Strike { at_event, kind });
    Options { strikes: strikes.to_vec(), ..with_administrators() }
}

fn with_crashes(options: Options, crash: Crash) -> Options {
    let kind = StrikeKind::Crash(crash);
    let strikes = [250, 600, 1000].map(|at_event| Strike { at_event, kind });
    Options { requests: 40, pipeline: 4, strikes: strikes.to_vec(), ..options }
}

/// Small segments, and consumers that read them again and again.
fn with_consumers() -> Options {
    Options {
        requests: 40,
        segment_bytes: 4096,
        consumers: 2,
        consumer_requests: 40,
        seek_per_mille: 200,
        fetch_wait_ms_max: 10,
        ..Options::calm()
    }
}

/// An inquirer that deletes, among consumers.
fn with_deletions() -> Options {
    Options { inquirers: 1, inquirer_requests: 40, delete_per_mille: 500, ..with_consumers() }
}

/// Members of one group, and one who looks after it.
fn with_members() -> Options {
    Options {
        requests: 20,
        partitions: 3,
        members: 3,
        member_requests: 40,
        overseers: 2,
        overseer_requests: 40,
        groups: 1,
        offsets_partitions: 2,
        session_ms: 500,
        rebalance_ms: 1_000,
        initial_rebalance_ms: 20,
        death_per_mille: 20,
        ..Options::calm()
    }
}

/// Commits beside topics that come and go, over crashes.
fn with_passing_commits() -> Options {
    Options {
        members: 1,
        clients: 1,
        requests: 5,
        administrators: 1,
        administrator_requests: 40,
        passing_topics: 1,
        passing_partitions: 1,
        passing_commits_per_mille: 900,
        overseer_requests: 60,
        session_ms: 100,
        ..with_member_crashes(Crash::Killed)
    }
}

fn with_member_crashes(crash: Crash) -> Options {
    let kind = StrikeKind::Crash(crash);
    let strikes = [1_500, 3_000, 4_500, 6_000].map(|at_event| Strike { at_event, kind });
    Options { strikes: strikes.to_vec(), ..with_members() }
}

/// Static members that die and come back, and those who forge their claims.
fn with_offenders() -> Options {
    Options {
        static_per_mille: 1000,
        death_per_mille: 100,
        hostile_per_mille: 600,
        ..with_members()
    }
}

/// Each two members have one instance id.
fn with_twins() -> Options {
    Options { members: 4, twins: 1, static_per_mille: 1000, death_per_mille: 0, ..with_members() }
}

/// Nobody but those who commit for groups without members.
fn with_overseers(crash: Crash) -> Options {
    let kind = StrikeKind::Crash(crash);
    let strikes = (1..10).map(|round| Strike { at_event: round * 500, kind });
    Options {
        strikes: strikes.collect(),
        overseers: 4,
        members: 0,
        session_ms: 1,
        ..with_members()
    }
}
