//! The log: lines on standard error.

use std::env;
use std::io::{self, IsTerminal};

use klamm_core::event::{Event, Severity};
use tracing_subscriber::filter::LevelFilter;

/// What is logged, and how: the command line goes before the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// `--log-level`; else `KLAMM_LOG`; else `info`.
    pub(crate) level: Option<String>,
    /// `--log-format`; else `KLAMM_LOG_FORMAT`; else `text`.
    pub(crate) format: Option<String>,
}

const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Json,
}

const FORMATS: [(&str, Format); 2] = [("text", Format::Text), ("json", Format::Json)];

/// Sets the process's logger. The error is a sentence.
pub(crate) fn start(wanted: Wanted) -> Result<(), String> {
    let level = choose("--log-level", wanted.level, "KLAMM_LOG", &LEVELS, LevelFilter::INFO)?;
    let format = choose("--log-format", wanted.format, "KLAMM_LOG_FORMAT", &FORMATS, Format::Text)?;
    let logger = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(format == Format::Text && io::stderr().is_terminal())
        .with_target(false);
    match format {
        Format::Text => logger.try_init(),
        Format::Json => logger.json().flatten_event(true).try_init(),
    }
    .map_err(|error| error.to_string())
}

fn choose<T: Copy>(
    option: &str,
    argument: Option<String>,
    variable: &str,
    choices: &[(&str, T)],
    default: T,
) -> Result<T, String> {
    let from_environment = || env::var_os(variable).map(|text| text.to_string_lossy().into_owned());
    let (origin, text) = match argument {
        Some(text) => (option, text),
        None => match from_environment().filter(|text| !text.is_empty()) {
            Some(text) => (variable, text),
            None => return Ok(default),
        },
    };
    let found = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text));
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let allowed: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("{origin}: {text} cannot be used: allowed is one of {}", allowed.join(", "))
    })
}

/// One line for what the core has to say, with its kind as a field.
pub(crate) fn write(event: &Event) {
    let name = event.name();
    match event.severity() {
        Severity::Error => tracing::error!(event = name, "{event}"),
        Severity::Warning => tracing::warn!(event = name, "{event}"),
        Severity::Info => tracing::info!(event = name, "{event}"),
        Severity::Debug => tracing::debug!(event = name, "{event}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{FORMATS, Format, choose};

    #[test]
    fn option_goes_before_the_environment_and_both_before_the_default() {
        let choice = |argument: Option<&str>, variable| {
            choose("--x", argument.map(Into::into), variable, &FORMATS, Format::Text)
        };
        assert_eq!(choice(None, "KLAMM_NO_SUCH_VARIABLE"), Ok(Format::Text));
        assert_eq!(choice(Some("JSON"), "KLAMM_NO_SUCH_VARIABLE"), Ok(Format::Json));
        let error = choice(None, "PATH").expect_err("a path is no format");
        assert!(error.starts_with("PATH: "), "{error}");
        assert!(error.ends_with("allowed is one of text, json"), "{error}");
    }
}
