//! What work that was cut short has left in a partition's directory, put in order by Kafka's rules
//! (`LogLoader.load`).
//!
//! Compaction and the split of an oversized segment write `.cleaned` files, rename them to `.swap` in
//! descending order when all are durable, take the old segments away and drop the suffix. So `.swap`
//! files stand for all that they cover, unless a `.cleaned` file at or below them shows that some of
//! them are not complete.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::scan::SegmentScan;
use super::{LoadLog, LoadLogFailure, Stage, read_result};
use crate::effect::{Entry, FileRef, Operation, OperationResult};
use crate::event::{Event, Severity};
use crate::log::{FileSuffix, OFFSET_MAX, file_name, parse_file_name};

/// Files of work that was cut short.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    swaps: Vec<Swap>,
    /// Offset and name of each `.cleaned` file.
    cleaned: Vec<(i64, String)>,
    /// `.deleted` files, and temporary ones of index files.
    waste: Vec<String>,
}

/// A `.swap` file.
#[derive(Debug)]
struct Swap {
    offset: i64,
    suffix: FileSuffix,
    length: u64,
    name: String,
}

/// The walk over the `.log.swap` files, which tells what they cover.
#[derive(Debug)]
pub(super) struct SwapWalk {
    /// Which of the swaps.
    at: usize,
    file: FileRef,
    scan: SegmentScan,
    /// What the files so far cover: from the lowest base offset to behind the last record, or the base offset of
    /// one without records.
    covered: Option<(i64, i64)>,
}

impl Leftovers {
    /// Takes the file if it is one.
    pub(super) fn take(&mut self, entry: &Entry) -> bool {
        let Some((front, kind)) = entry.name.rsplit_once('.') else { return false };
        let Some((offset, suffix)) = parse_file_name(front) else { return false };
        let name = entry.name.clone();
        match kind {
            "swap" => self.swaps.push(Swap { offset, suffix, length: entry.length, name }),
            "cleaned" => self.cleaned.push((offset, name)),
            "deleted" | "tmp" => self.waste.push(name),
            _ => return false,
        }
        true
    }

    fn is_empty(&self) -> bool {
        self.swaps.is_empty() && self.cleaned.is_empty() && self.waste.is_empty()
    }

    /// The swaps of work that was not complete, taken out (KAFKA-6264).
    fn split_off_incomplete(&mut self) -> Vec<Swap> {
        let least = self.cleaned.iter().map(|(offset, _)| *offset).min().unwrap_or(i64::MAX);
        let (kept, incomplete) =
            core::mem::take(&mut self.swaps).into_iter().partition(|swap| swap.offset < least);
        self.swaps = kept;
        incomplete
    }
}

impl LoadLog {
    /// Begins to put the directory in order; it is listed anew when there was something to do.
    pub(super) fn tidy(&mut self) {
        if self.listing.leftovers.is_empty() {
            return self.load_listing();
        }
        let mut leftovers = core::mem::take(&mut self.listing.leftovers);
        let incomplete = leftovers.split_off_incomplete();
        // Without the `.cleaned` files the swaps of unfinished work would pass for whole ones.
        self.queue_unlinks(incomplete.into_iter().map(|swap| swap.name));
        let cleaned = leftovers.cleaned.drain(..).map(|(_, name)| name);
        let waste: Vec<_> = cleaned.chain(leftovers.waste.drain(..)).collect();
        self.queue_unlinks(waste);
        self.listing.leftovers = leftovers;
        self.walk_swap(0, None);
    }

    /// Walks the next `.log.swap` from number `at` on.
    fn walk_swap(&mut self, at: usize, covered: Option<(i64, i64)>) {
        let mut swaps = self.listing.leftovers.swaps.iter().enumerate().skip(at);
        let next = swaps.find(|(_, swap)| swap.suffix == FileSuffix::Log);
        let Some((at, swap)) = next else { return self.complete_swaps(covered) };
        let file = FileRef { id: self.numbering.file(), path: self.context.path.join(&swap.name) };
        let covered = Some(match covered {
            Some((from, to)) => (from.min(swap.offset), to.max(swap.offset + 1)),
            None => (swap.offset, swap.offset + 1),
        });
        let scan = SegmentScan::new(swap.length);
        self.read_swap(SwapWalk { at, file, scan, covered }, Vec::new());
    }

    fn read_swap(&mut self, walk: SwapWalk, mut operations: Vec<Operation>) {
        match walk.scan.wants(self.context.limits.job_piece_bytes) {
            Some((position, length)) => {
                operations.push(Operation::Read { file: walk.file.clone(), position, length });
                self.emit(Stage::Swap(walk), operations);
            }
            None => {
                if walk.scan.valid() > 0 {
                    self.queue.push_back([Operation::Close(walk.file)].into());
                }
                self.walk_swap(walk.at + 1, walk.covered);
            }
        }
    }

    /// A piece of a `.log.swap` was read.
    pub(super) fn handle_swap(&mut self, mut walk: SwapWalk, results: Vec<OperationResult>) {
        let asked = walk.scan.wants(self.context.limits.job_piece_bytes);
        let Some(piece) = read_result(results, asked.map(|(_, length)| length)) else {
            return self.fail(format!("{} shrank while it was read", walk.file.path));
        };
        let covered = &mut walk.covered;
        let outcome = walk.scan.feed(&piece, |found| {
            let last = found.last_offset.filter(|last| *last < OFFSET_MAX);
            let last = last.ok_or_else(|| "its offsets cannot be".to_owned())?;
            *covered = covered.map(|(from, to)| (from, to.max(last + 1)));
            Ok(())
        });
        match outcome {
            Ok(()) => self.read_swap(walk, Vec::new()),
            Err(reason) => {
                let (path, position) = (&walk.file.path, walk.scan.valid());
                let reason = format!(
                    "{path}: damage at position {position}: {reason}; \
                     it stands for segments that were to be replaced"
                );
                self.queue.clear();
                self.close(LoadLogFailure { reason, error: None }, Some(walk.file));
            }
        }
    }

    /// Takes away what the swaps stand for, and gives them their names. The one must be durable before
    /// the other: two segments of the same offsets would pass for a fault in the log.
    fn complete_swaps(&mut self, covered: Option<(i64, i64)>) {
        let mut swaps = core::mem::take(&mut self.listing.leftovers.swaps);
        // The indexes last: while a `.log.swap` is there, those with its offset are taken for old ones.
        swaps.sort_unstable_by_key(|swap| (swap.suffix, swap.offset));
        if let Some((from, to)) = covered {
            let segments = self.listing.segments.iter().map(|file| (file.offset, FileSuffix::Log));
            let indexes = self.listing.indexes.iter().map(|(suffix, file)| (file.offset, *suffix));
            let gone = segments
                .chain(indexes)
                .filter(|(offset, _)| (from..to).contains(offset))
                .map(|(offset, suffix)| file_name(offset, suffix))
                .collect::<Vec<_>>();
            let (path, replaced) = (&self.context.path, gone.len());
            let text = format!(
                "{path}: the replacement of segments from offset {from} to {to} is completed, \
                 which takes {replaced} files away"
            );
            self.events.push(Event::Notice { severity: Severity::Warning, text });
            self.queue_unlinks(gone);
        }
        let path = self.context.path.clone();
        let renames = swaps.into_iter().map(|Swap { offset, suffix, name, .. }| {
            let to = path.join(&file_name(offset, suffix));
            Operation::Rename { from: path.join(&name), to }
        });
        let mut operations: Vec<_> = renames.collect();
        operations.push(Operation::SyncDirectory(path));
        self.queue_in_parts(operations);
        self.carry_on_tidying();
    }

    /// Carries out the next prepared effect; then the directory is listed as it is now.
    pub(super) fn carry_on_tidying(&mut self) {
        match self.queue.pop_front() {
            Some(operations) => self.emit(Stage::Tidy, operations),
            None => self.emit(Stage::Relist, [Operation::List(self.context.path.clone())].into()),
        }
    }

    fn queue_unlinks(&mut self, names: impl IntoIterator<Item = String>) {
        let path = &self.context.path;
        let unlinks = names.into_iter().map(|name| Operation::Unlink(path.join(&name)));
        let mut operations: Vec<_> = unlinks.collect();
        if operations.is_empty() {
            return;
        }
        operations.push(Operation::SyncDirectory(path.clone()));
        self.queue_in_parts(operations);
    }
}
