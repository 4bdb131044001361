//! The primitives that threads of a node meet at.
//!
//! This crate's unit tests replace them by shuttle's, which run a test under many schedules; what
//! needs real threads is tested from outside the crate.

#[cfg(not(test))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, RwLock, atomic},
    thread, thread_local,
};

#[cfg(test)]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, RwLock, atomic},
    thread, thread_local,
};

use std::cell::Cell;

thread_local! {
    static MACHINE_LOCKED: Cell<bool> = const { Cell::new(false) };
}

/// Notes that this thread holds the machine, until dropped. Checked in debug builds alone.
pub(crate) struct MachineLockMark(());

impl MachineLockMark {
    pub(crate) fn set() -> Self {
        if cfg!(debug_assertions) {
            assert_machine_unlocked();
            MACHINE_LOCKED.with(|locked| locked.set(true));
        }
        Self(())
    }
}

impl Drop for MachineLockMark {
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            MACHINE_LOCKED.with(|locked| locked.set(false));
        }
    }
}

/// Nothing may be carried out while the machine is locked.
pub(crate) fn assert_machine_unlocked() {
    if cfg!(debug_assertions) {
        MACHINE_LOCKED
            .with(|locked| assert!(!locked.get(), "carried out under the machine's lock"));
    }
}
