//! What waits for a worker.

use std::collections::VecDeque;

use crate::sync::{Condvar, Mutex};

/// A queue for several workers. Without a bound: dispatching must not wait, and what the broker
/// has out is bounded by what it admits.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

struct State<T> {
    tasks: VecDeque<T>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        let state = State { tasks: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), filled: Condvar::new() }
    }

    /// Puts tasks in; those that come after the end are dropped.
    pub(crate) fn push(&self, tasks: impl IntoIterator<Item = T>) {
        let mut added = 0;
        {
            let mut state = self.state.lock().expect("no thread panics while it holds a queue");
            if state.closed {
                return;
            }
            for task in tasks {
                state.tasks.push_back(task);
                added += 1;
            }
        }
        for _ in 0..added {
            self.filled.notify_one();
        }
    }

    /// The next task, as soon as there is one; `None` at the end.
    pub(crate) fn pop(&self) -> Option<T> {
        let mut state = self.state.lock().expect("no thread panics while it holds a queue");
        loop {
            if state.closed {
                return None;
            }
            if let Some(task) = state.tasks.pop_front() {
                return Some(task);
            }
            state = self.filled.wait(state).expect("no thread panics while it holds a queue");
        }
    }

    /// Ends the workers; what still waits is dropped.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock().expect("no thread panics while it holds a queue");
        state.closed = true;
        state.tasks.clear();
        drop(state);
        self.filled.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().expect("no thread panics while it holds a queue").closed
    }
}
