//! Memory for requests: one budget for all connections (`queued.max.request.bytes`).
//!
//! A share is granted whole or not at all. Who finds the budget spent stands in a queue and is
//! served in its order, so that a large request is not passed by small ones for ever. A request
//! above the whole budget is granted when nothing else is held.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::mailbox::{Mail, Mailbox};
use crate::sync::{Mutex, MutexGuard};

/// The budget of a node.
pub struct Budget {
    total: usize,
    state: Mutex<State>,
}

struct State {
    held: usize,
    queue: VecDeque<Waiter>,
    tickets: u64,
}

struct Waiter {
    ticket: u64,
    bytes: usize,
    mailbox: Arc<Mailbox>,
}

impl Budget {
    /// `total` bytes, all free.
    pub fn new(total: usize) -> Self {
        let state = State { held: 0, queue: VecDeque::new(), tickets: 0 };
        Self { total, state: Mutex::new(state) }
    }

    /// The share of one connection, empty. Grants that come later go to `mailbox`.
    pub fn share(self: &Arc<Self>, mailbox: Arc<Mailbox>) -> Share {
        Share { budget: Arc::clone(self), mailbox, held: 0, asked: None }
    }

    /// Bytes granted and not given back.
    pub fn held(&self) -> usize {
        self.lock().held
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the budget")
    }

    fn fits(&self, held: usize, bytes: usize) -> bool {
        held == 0 || held.saturating_add(bytes) <= self.total
    }

    /// Takes `bytes` back and ends an open question.
    fn release(&self, bytes: usize, asked: Option<Asked>) {
        let mut granted = Vec::new();
        {
            let mut state = self.lock();
            state.held -= bytes;
            if let Some(asked) = asked {
                match state.queue.iter().position(|waiter| waiter.ticket == asked.ticket) {
                    Some(place) => drop(state.queue.remove(place)),
                    // Granted already, though the mail has not been read.
                    None => state.held -= asked.bytes,
                }
            }
            while let Some(first) = state.queue.front()
                && self.fits(state.held, first.bytes)
            {
                state.held += first.bytes;
                granted.extend(state.queue.pop_front());
            }
        }
        for waiter in granted {
            waiter.mailbox.send(Mail::Charged);
        }
    }
}

/// What one connection holds of the budget; given back when it is dropped, and its place in the
/// queue with it.
pub struct Share {
    budget: Arc<Budget>,
    mailbox: Arc<Mailbox>,
    held: usize,
    asked: Option<Asked>,
}

struct Asked {
    ticket: u64,
    bytes: usize,
}

impl Share {
    /// Asks for `bytes` more. True: granted. False: [`Mail::Charged`] will come, and then
    /// [`accept`](Self::accept) takes it; until then nothing else may be asked.
    #[must_use]
    pub fn ask(&mut self, bytes: usize) -> bool {
        debug_assert!(self.asked.is_none(), "one question at a time");
        let mut state = self.budget.lock();
        if state.queue.is_empty() && self.budget.fits(state.held, bytes) {
            state.held += bytes;
            self.held += bytes;
            return true;
        }
        state.tickets += 1;
        let ticket = state.tickets;
        state.queue.push_back(Waiter { ticket, bytes, mailbox: Arc::clone(&self.mailbox) });
        self.asked = Some(Asked { ticket, bytes });
        false
    }

    /// True while a question is open.
    pub fn is_waiting(&self) -> bool {
        self.asked.is_some()
    }

    /// The grant has come by mail.
    pub fn accept(&mut self) {
        let asked = self.asked.take().expect("a grant answers a question");
        self.held += asked.bytes;
    }

    /// Gives back what is no longer needed; who waits for it is woken.
    pub fn give_back(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.held, "more given back than was granted");
        let bytes = bytes.min(self.held);
        self.held -= bytes;
        self.budget.release(bytes, None);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.release(self.held, self.asked.take());
    }
}
