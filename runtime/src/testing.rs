//! What the tests under many schedules share.

use std::sync::Arc;

use crate::mailbox::Wake;
use crate::sync::{Condvar, Mutex};

/// A thread waits for it, others ring it; a ring before the wait ends the wait.
pub(crate) struct Bell(Arc<(Mutex<bool>, Condvar)>);

impl Bell {
    pub(crate) fn new() -> Self {
        Self(Arc::new((Mutex::new(false), Condvar::new())))
    }

    pub(crate) fn waker(&self) -> Box<dyn Wake> {
        Box::new(Self(Arc::clone(&self.0)))
    }

    pub(crate) fn wait(&self) {
        let (rung, changed) = &*self.0;
        let mut rung = changed.wait_while(rung.lock().unwrap(), |rung| !*rung).unwrap();
        *rung = false;
    }
}

impl Wake for Bell {
    fn wake(&self) {
        let (rung, changed) = &*self.0;
        *rung.lock().unwrap() = true;
        changed.notify_one();
    }
}
