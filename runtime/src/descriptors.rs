//! How many files and sockets a node may have open.

use klamm_core::config::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are neither a log's file nor a connection's: listeners, pollers, standard
/// streams, whatever an embedder has open.
const RESERVE: u64 = 64;

/// Raises the process's soft limit of descriptors to the hard one, as far as it can, and lowers
/// `limits` to what that allows: without this, a flood of connections would make opening a log's
/// file fail, and take its directory offline.
///
/// `per_connection` is how many descriptors a driver needs for a connection.
pub fn fit_descriptors(limits: &mut Limits, per_connection: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        // Nothing is lost but the room.
        Err(_) => current,
    };
    let Some(allowed) = allowed else { return };
    let allowed = usize::try_from(allowed.saturating_sub(RESERVE)).unwrap_or(usize::MAX);
    limits.open_files_max = limits.open_files_max.min(allowed / 2).max(1);
    let left = allowed.saturating_sub(limits.open_files_max);
    limits.connections_max = limits.connections_max.min(left / per_connection).max(1);
}
