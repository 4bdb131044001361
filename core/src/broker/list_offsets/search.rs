//! Searches by timestamp: which segments may hold the record, and the jobs that look.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Isolation, Slot};
use crate::batch::TimedOffset;
use crate::broker::jobs::JobPurpose;
use crate::broker::open_requests::OpenId;
use crate::broker::{Broker, Waiter};
use crate::error_code::ErrorCode;
use crate::ids::LogId;
use crate::job::{FoundTimestamp, Job, SearchStart, SearchTimestampContext, SearchedSegment};
use crate::log::{FileSuffix, Log, Place, Segment, TimeStart};

/// Times that a search begins anew because a segment was deleted under it. Retention deletes once in
/// minutes; who is hit as often as this is told to try again.
const ATTEMPTS_MAX: u32 = 3;

/// What is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) struct SearchedFor {
    pub(in crate::broker) log: LogId,
    pub(in crate::broker) isolation: Isolation,
    /// The least timestamp; `None` for the largest of the log.
    pub(in crate::broker) time: Option<i64>,
}

/// A search that is under way or waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) struct OffsetSearch {
    request: OpenId,
    slot: Slot,
    searched: SearchedFor,
    attempts: u32,
}

/// What is to be done for a search.
enum Plan {
    /// There is no such record.
    Nothing,
    /// The record with the largest timestamp is not visible yet.
    WaitFor(i64),
    Job(Box<SearchTimestampContext>),
}

impl OffsetSearch {
    pub(super) fn new(request: OpenId, slot: Slot, searched: SearchedFor) -> Self {
        Self { request, slot, searched, attempts: 0 }
    }
}

impl Broker {
    /// Answers in place what can be, else puts the search in the queue.
    pub(super) fn begin_search(&mut self, search: OffsetSearch) {
        if self.prepare_search(search).is_some() {
            // It is prepared anew when there is a place: what waits takes little room.
            self.list_offsets.waiting.push_back(search);
        }
    }

    /// Answers in place what can be, and gives what else a job needs.
    fn prepare_search(&mut self, search: OffsetSearch) -> Option<Box<SearchTimestampContext>> {
        match self.plan_search(search.searched) {
            Err(error) => self.end_search(search, Err(error)),
            Ok(Plan::Nothing) => self.end_search(search, Ok(None)),
            Ok(Plan::WaitFor(offset)) => {
                let waiter = Waiter::ListOffsets(search);
                self.waits.add(search.searched.log, self.level, offset, waiter);
            }
            Ok(Plan::Job(context)) => return Some(context),
        }
        None
    }

    /// The record with the largest timestamp is visible, or will never be.
    pub(in crate::broker) fn resume_search(&mut self, search: OffsetSearch) {
        self.begin_search(search);
        self.start_searches();
    }

    /// Starts as many of those that wait as there are places.
    pub(in crate::broker) fn start_searches(&mut self) {
        while self.has_place_for_job() {
            let Some(search) = self.list_offsets.waiting.pop_front() else { break };
            if !self.list_offsets.open.is_open(search.request) {
                continue;
            }
            if let Some(context) = self.prepare_search(search) {
                let files: Vec<_> =
                    context.segments.iter().map(|segment| segment.file.id).collect();
                self.deletions.begin_read(&files);
                let purpose = JobPurpose::SearchTimestamp(search, files);
                self.queue_job(purpose, |id| Job::search_timestamp(id, *context));
            }
        }
        self.start_jobs();
    }

    pub(in crate::broker) fn handle_searched(
        &mut self,
        mut search: OffsetSearch,
        found: FoundTimestamp,
    ) {
        let SearchedFor { log, isolation, .. } = search.searched;
        match found {
            FoundTimestamp::Record(found) => {
                let end = self.logs.get(&log).map(|live| self.visible_end(&live.log, isolation));
                let result = match end {
                    Some(end) => Ok(found.filter(|found| found.offset < end)),
                    None => Err(self.log_absence(log)),
                };
                self.end_search(search, result);
            }
            FoundTimestamp::SegmentGone if search.attempts < ATTEMPTS_MAX => {
                search.attempts += 1;
                self.begin_search(search);
            }
            FoundTimestamp::SegmentGone => {
                self.end_search(search, Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
            }
            FoundTimestamp::Corrupt => self.end_search(search, Err(ErrorCode::CORRUPT_MESSAGE)),
            FoundTimestamp::Failed(error) => {
                let directory = self.logs.get(&log).map(|live| live.log.log_directory());
                if let Some(index) = directory {
                    self.fail_directory(index, &error);
                }
                self.end_search(search, Err(self.log_absence(log)));
            }
        }
        self.start_searches();
    }

    /// A stop abandons the jobs: who waits for one asks the next broker.
    pub(in crate::broker) fn abandon_searches(&mut self) {
        for search in core::mem::take(&mut self.list_offsets.waiting) {
            self.end_search(search, Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
        }
    }

    pub(in crate::broker) fn end_search(
        &mut self,
        search: OffsetSearch,
        result: Result<Option<TimedOffset>, ErrorCode>,
    ) {
        self.settle_list_offsets(search.request, search.slot, result);
    }

    fn plan_search(&self, searched: SearchedFor) -> Result<Plan, ErrorCode> {
        let absence = || self.log_absence(searched.log);
        let live = self.logs.get(&searched.log).ok_or_else(absence)?;
        let log = &live.log;
        let bound = log.place(self.level);
        let (timestamp_ms, offset_min, segments) = match searched.time {
            Some(timestamp_ms) => {
                (timestamp_ms, log.log_start(), by_time(log, bound, timestamp_ms))
            }
            None => {
                let Some(latest) = latest_segment(log) else { return Ok(Plan::Nothing) };
                let max = latest.max_timestamp();
                // An index file that names what is not there must not make anybody wait for it.
                if (bound.offset..log.accepted_end()).contains(&max.offset) {
                    return Ok(Plan::WaitFor(max.offset));
                }
                let start = start_at_offset(latest, max.offset, max.timestamp_ms);
                let segment = searched_segment(latest, bound, start);
                // Kafka does not look at the log's start here: what lies below it in its segment counts.
                (max.timestamp_ms, latest.base_offset, segment.into_iter().collect())
            }
        };
        if segments.is_empty() {
            return Ok(Plan::Nothing);
        }
        Ok(Plan::Job(Box::new(SearchTimestampContext {
            timestamp_ms,
            offset_min,
            segments,
            compression: Arc::clone(&self.compression),
            limits: self.config.limits.clone(),
        })))
    }
}

/// The segments that may hold a record that is late enough.
fn by_time(log: &Log, bound: Place, timestamp_ms: i64) -> VecDeque<SearchedSegment> {
    let late = log.segments().iter().filter(|it| it.max_timestamp().timestamp_ms >= timestamp_ms);
    late.filter_map(|segment| {
        let start = match segment.time_start(timestamp_ms) {
            TimeStart::Entry(max) => start_at_offset(segment, max.offset, max.timestamp_ms),
            TimeStart::Files => SearchStart::Indexes {
                times: segment.path(FileSuffix::TimeIndex),
                offsets: segment.path(FileSuffix::Index),
            },
            TimeStart::Front => SearchStart::Front,
        };
        searched_segment(segment, bound, start)
    })
    .collect()
}

/// The segment with the largest timestamp; of several the first. `None` when no record has one.
fn latest_segment(log: &Log) -> Option<&Segment> {
    let mut latest: Option<&Segment> = None;
    for segment in log.segments() {
        let time_ms = segment.max_timestamp().timestamp_ms;
        if time_ms > latest.map_or(-1, |latest| latest.max_timestamp().timestamp_ms) {
            latest = Some(segment);
        }
    }
    latest
}

/// As the offset index in memory says where the batch of `offset` is, at the earliest.
fn start_at_offset(segment: &Segment, offset: i64, timestamp_ms: i64) -> SearchStart {
    let position = segment.position_before(offset);
    SearchStart::Entry { position, offset, timestamp_ms }
}

fn searched_segment(
    segment: &Segment,
    bound: Place,
    start: SearchStart,
) -> Option<SearchedSegment> {
    let bytes = segment.bytes_below(bound);
    (bytes > 0).then(|| SearchedSegment {
        base_offset: segment.base_offset,
        file: segment.file.clone(),
        bytes,
        size: segment.size,
        start,
    })
}
