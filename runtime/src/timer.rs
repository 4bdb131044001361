//! The thread that waits for the machine's deadline.

use klamm_core::time::{Instant, Now};

use crate::clock::wait_until;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// The deadline as last published, and who waits for it.
pub(crate) struct Timer {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    deadline: Option<Instant>,
    sleep: Sleep,
    stopped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sleep {
    /// The thread is about: it looks at the deadline before it sleeps.
    Awake,
    /// Until a deadline, which may have moved on since.
    Until(Instant),
    /// There was no deadline.
    Forever,
}

impl Timer {
    pub(crate) fn new() -> Self {
        let state = State { deadline: None, sleep: Sleep::Awake, stopped: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Takes the deadline. True when it is earlier than what the thread sleeps for: then
    /// [`wake`](Self::wake) it, outside the machine's lock.
    #[must_use]
    pub(crate) fn publish(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.lock();
        state.deadline = deadline;
        match (deadline, state.sleep) {
            (None, _) | (_, Sleep::Awake) => false,
            (Some(_), Sleep::Forever) => true,
            (Some(new), Sleep::Until(old)) => new < old,
        }
    }

    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Sleeps until the deadline has come. False: stopped.
    pub(crate) fn wait(&self, now: impl Fn() -> Now) -> bool {
        let mut state = self.lock();
        loop {
            state.sleep = Sleep::Awake;
            if state.stopped {
                return false;
            }
            let Some(deadline) = state.deadline else {
                state.sleep = Sleep::Forever;
                state = self.changed.wait(state).expect("no thread panics in the timer");
                continue;
            };
            let wait = wait_until(deadline, now());
            if wait.is_zero() {
                return true;
            }
            state.sleep = Sleep::Until(deadline);
            state =
                self.changed.wait_timeout(state, wait).expect("no thread panics in the timer").0;
        }
    }

    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics in the timer")
    }
}
