//! What can go wrong on a disk that has power, and what the machine must never do to one.

use klamm_core::effect::Path;
use thiserror::Error;

/// Rates of failure, in so many of a thousand operations. All zero: a disk that never fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Where: below this directory alone, or everywhere.
    pub within: Option<Path>,
    /// A write fails, after some of its bytes were written.
    pub write_per_mille: u32,
    /// A sync fails: some of the content that it covers is lost at the next power loss, reads back
    /// well until then, and the next sync succeeds without writing it.
    pub sync_per_mille: u32,
    /// A read, an open or a listing fails.
    pub read_per_mille: u32,
    /// A create, rename, unlink or change of length fails and changes nothing.
    pub entry_per_mille: u32,
    /// Bytes of all files together; a write beyond fails for want of space, after what fits.
    pub capacity: Option<u64>,
}

impl Faults {
    pub(super) fn cover(&self, path: &Path) -> bool {
        self.within.as_ref().is_none_or(|within| path.is_within(within))
    }
}

/// A broken rule of the machine's dealings with files: the run has failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    /// A log that is served lost bytes.
    #[error("{path}: live log cut from {from} to {to} bytes")]
    LiveLogTruncated {
        /// Which.
        path: Path,
        /// Length before.
        from: u64,
        /// Length asked for.
        to: u64,
    },
    /// A sync after a failed one would report as durable what is not.
    #[error("{directory}: synced again after its sync had failed")]
    SyncAfterFailedSync {
        /// The log directory.
        directory: Path,
    },
    /// An effect names a file by an id whose file is gone, or has been replaced.
    #[error("{path}: used under an id whose file was unlinked or replaced")]
    FileGone {
        /// The path that the id stands for.
        path: Path,
    },
    /// A file was renamed, unlinked or closed while another effect on it was out.
    #[error("{path}: renamed, unlinked or closed while an effect on it is out")]
    FileInUse {
        /// Which.
        path: Path,
    },
    /// Two writes that are out together, and so have no order, touch the same bytes.
    #[error("{path}: two writes without order meet at byte {position}")]
    WritesOverlap {
        /// Which.
        path: Path,
        /// First byte in common.
        position: u64,
    },
    /// A file was unlinked while a response that carries a range of it had not left.
    #[error("{path}: unlinked while pinned")]
    PinnedUnlinked {
        /// Which.
        path: Path,
    },
    /// What was served is not what a completed write (or a sync, in durable mode) left there.
    #[error("{path}: bytes {start} to {end} were served before they were {level}")]
    ServedTooEarly {
        /// Which.
        path: Path,
        /// First byte.
        start: u64,
        /// Behind the last byte.
        end: u64,
        /// `written` or `synced`.
        level: &'static str,
    },
    /// An id was given twice.
    #[error("effect {owner}.{number} was emitted twice")]
    EffectReused {
        /// The job, or 0 for the broker.
        owner: u64,
        /// Its number.
        number: u64,
    },
}
