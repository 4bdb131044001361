//! The log: lines on standard error, from `KLAMM_LOG` or `info` upwards.

use std::io::{self, IsTerminal};

use klamm_core::event::{Event, Severity};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

/// The environment variable that says what is logged.
const VARIABLE: &str = "KLAMM_LOG";

/// Sets the process's logger. The error is a sentence.
pub(crate) fn start() -> Result<(), String> {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .with_env_var(VARIABLE)
        .from_env()
        .map_err(|error| format!("{VARIABLE}: {error}: allowed is a level, such as debug"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .try_init()
        .map_err(|error| error.to_string())
}

/// One line for what the core has to say.
pub(crate) fn write(event: &Event) {
    match event.severity() {
        Severity::Error => tracing::error!("{event}"),
        Severity::Warning => tracing::warn!("{event}"),
        Severity::Info => tracing::info!("{event}"),
        Severity::Debug => tracing::debug!("{event}"),
    }
}
