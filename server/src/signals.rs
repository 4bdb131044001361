//! SIGTERM and SIGINT: the first asks for a clean end, the second ends at once.

use std::io;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tracing::{error, info};

/// The two signals, kept from ending the process by themselves.
pub(crate) struct StopSignals(Signals);

impl StopSignals {
    /// From here on a signal waits to be taken.
    pub(crate) fn catch() -> io::Result<Self> {
        Signals::new([SIGTERM, SIGINT]).map(Self)
    }

    /// Calls `stop` at the first signal, also at one that came before.
    pub(crate) fn on_first(self, stop: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let Self(mut signals) = self;
        thread::Builder::new().name("signals".into()).spawn(move || {
            let mut signals = signals.forever();
            if let Some(signal) = signals.next() {
                info!("{}: stopping; a second signal ends at once", name(signal));
                stop();
            }
            if let Some(signal) = signals.next() {
                error!("{} again: ending at once", name(signal));
                // Ends the process as the signal would have, so that the caller sees why.
                if let Err(error) = emulate_default_handler(signal) {
                    error!("{error}");
                    std::process::abort();
                }
            }
        })?;
        Ok(())
    }
}

fn name(signal: i32) -> &'static str {
    if signal == SIGINT { "SIGINT" } else { "SIGTERM" }
}
