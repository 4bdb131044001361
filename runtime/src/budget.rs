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

#[cfg(test)]
mod tests {
    use shuttle::check_random;

    use super::*;
    use crate::sync::thread;
    use crate::testing::Bell;

    const SCHEDULES: usize = 500;

    fn budget(total: usize) -> Arc<Budget> {
        Arc::new(Budget::new(total))
    }

    fn connection(budget: &Arc<Budget>) -> (Share, Arc<Mailbox>, Bell) {
        let bell = Bell::new();
        let mailbox = Arc::new(Mailbox::new(bell.waker()));
        (budget.share(Arc::clone(&mailbox)), mailbox, bell)
    }

    fn is_charged(mailbox: &Mailbox) -> bool {
        mailbox.take().iter().any(|mail| matches!(mail, Mail::Charged))
    }

    /// Asks and waits for the grant.
    fn get(share: &mut Share, bytes: usize, mailbox: &Mailbox, bell: &Bell) {
        if share.ask(bytes) {
            return;
        }
        while !is_charged(mailbox) {
            bell.wait();
        }
        share.accept();
    }

    #[test]
    fn grants_come_in_the_order_of_the_questions() {
        check_random(
            || {
                let budget = budget(10);
                let (mut holder, ..) = connection(&budget);
                assert!(holder.ask(8));
                let (mut large, large_mail, _) = connection(&budget);
                let (mut small, small_mail, _) = connection(&budget);
                assert!(!large.ask(5));
                assert!(!small.ask(1), "it would fit, but the large one was first");
                holder.give_back(1);
                assert!(!is_charged(&large_mail) && !is_charged(&small_mail));
                holder.give_back(2);
                assert!(is_charged(&large_mail) && !is_charged(&small_mail));
                large.accept();
                drop(holder);
                assert!(is_charged(&small_mail));
                small.accept();
                assert_eq!(budget.held(), 6);
                drop((large, small));
                assert_eq!(budget.held(), 0);
            },
            1,
        );
    }

    #[test]
    fn more_than_the_whole_budget_is_granted_alone() {
        check_random(
            || {
                let budget = budget(10);
                let (mut small, ..) = connection(&budget);
                let (mut huge, huge_mail, _) = connection(&budget);
                assert!(small.ask(1));
                assert!(!huge.ask(50));
                small.give_back(1);
                assert!(is_charged(&huge_mail));
                huge.accept();
                assert!(!small.ask(1), "nothing beside it");
                drop(huge);
                small.accept();
                assert_eq!(budget.held(), 1);
            },
            1,
        );
    }

    #[test]
    fn one_that_leaves_the_queue_lets_the_next_one_in() {
        check_random(
            || {
                let budget = budget(10);
                let (mut holder, ..) = connection(&budget);
                let (mut large, ..) = connection(&budget);
                let (mut small, small_mail, _) = connection(&budget);
                assert!(holder.ask(5));
                assert!(!large.ask(6));
                assert!(!small.ask(5));
                drop(large);
                assert!(is_charged(&small_mail));
                assert_eq!(budget.held(), 10);
            },
            1,
        );
    }

    #[test]
    fn shares_that_end_at_any_point_leak_nothing_and_block_nobody() {
        check_random(
            || {
                let budget = budget(10);
                let threads: Vec<_> = [6, 5, 30]
                    .into_iter()
                    .map(|bytes| {
                        let budget = Arc::clone(&budget);
                        thread::spawn(move || {
                            let (mut share, mailbox, bell) = connection(&budget);
                            get(&mut share, bytes, &mailbox, &bell);
                            share.give_back(bytes / 2);
                            share.give_back(bytes - bytes / 2);
                            get(&mut share, 1, &mailbox, &bell);
                        })
                    })
                    .collect();
                // These go away with an open question, granted or not.
                for bytes in [4, 40] {
                    let (mut share, ..) = connection(&budget);
                    let _granted_or_not = share.ask(bytes);
                    thread::yield_now();
                }
                for thread in threads {
                    thread.join().unwrap();
                }
                assert_eq!(budget.held(), 0);
            },
            SCHEDULES,
        );
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn a_lost_wake_up_is_found() {
        struct Deaf;
        impl crate::mailbox::Wake for Deaf {
            fn wake(&self) {}
        }
        check_random(
            || {
                let budget = budget(1);
                let (mut holder, ..) = connection(&budget);
                assert!(holder.ask(1));
                let bell = Bell::new();
                let mailbox = Arc::new(Mailbox::new(Box::new(Deaf)));
                let mut share = budget.share(Arc::clone(&mailbox));
                let holding = thread::spawn(move || drop(holder));
                get(&mut share, 1, &mailbox, &bell);
                holding.join().unwrap();
            },
            SCHEDULES,
        );
    }
}
