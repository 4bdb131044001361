//! A connection's mailbox: what other threads have for it.

use std::collections::VecDeque;
use std::mem;

use klamm_core::request::Response;

use crate::sync::Mutex;

/// One piece of mail.
#[derive(Debug)]
pub enum Mail {
    /// The broker's answer to a request.
    Response(Response),
    /// The request budget has room for the frame that waits.
    Charged,
    /// A request will not be answered: close once the answers to those before it are sent.
    Close,
    /// The node has stopped: send what is unsent, for a short time, and end.
    Stop,
}

/// How a driver's connection is woken from its wait. Called from any thread, must not block, and a
/// call that comes before the wait must end the wait.
pub trait Wake: Send + Sync {
    /// Ends the present wait, or the next one.
    fn wake(&self);
}

/// The queue of one connection. It has no bound of its own: what may be asked and is unanswered is
/// bounded, and each request has one answer.
///
/// The owner must take all mail between its own turns and its next wait. Then a wake-up is needed
/// only by what finds the queue empty: who finds it filled can rely on the wake-up of the one
/// before, or on the owner, who fills it in its own turns.
pub struct Mailbox {
    mail: Mutex<VecDeque<Mail>>,
    waker: Box<dyn Wake>,
}

impl Mailbox {
    /// Empty; `waker` wakes the owner.
    pub fn new(waker: Box<dyn Wake>) -> Self {
        Self { mail: Mutex::new(VecDeque::new()), waker }
    }

    /// Puts one in. True when the owner must be [woken](Self::wake), now or a little later.
    #[must_use]
    pub fn put(&self, mail: Mail) -> bool {
        let mut queue = self.mail.lock().expect("no thread panics while it holds a mailbox");
        queue.push_back(mail);
        queue.len() == 1
    }

    /// Puts one in and wakes the owner if it may wait.
    pub fn send(&self, mail: Mail) {
        if self.put(mail) {
            self.wake();
        }
    }

    /// Wakes the owner.
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// Takes everything, in its order.
    pub fn take(&self) -> VecDeque<Mail> {
        mem::take(&mut *self.mail.lock().expect("no thread panics while it holds a mailbox"))
    }
}
