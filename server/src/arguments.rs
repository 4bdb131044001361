//! The command line.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use klamm_core::config::keys;

use crate::logging;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print the help text.
    Help,
    /// Print name and version.
    Version,
    /// Be a broker.
    Serve(Serve),
}

/// How to be a broker.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Serve {
    /// `server.properties`; without it the defaults hold.
    pub(crate) properties: Option<PathBuf>,
    /// `--override`, in their order: keys and values that go before the file's.
    pub(crate) overrides: Vec<(String, String)>,
    /// `--driver`; it goes before `KLAMM_DRIVER` and `klamm.driver`.
    pub(crate) driver: Option<String>,
    /// What is logged, and how.
    pub(crate) logging: logging::Wanted,
}

/// Reads the arguments behind the program's name. The error is a sentence.
pub(crate) fn read(arguments: Vec<OsString>) -> Result<Command, String> {
    let mut arguments = pico_args::Arguments::from_vec(arguments);
    if arguments.contains(["-h", "--help"]) {
        return Ok(Command::Help);
    }
    if arguments.contains(["-V", "--version"]) {
        return Ok(Command::Version);
    }
    let as_text = |error: pico_args::Error| error.to_string();
    let driver = arguments.opt_value_from_str("--driver").map_err(as_text)?;
    let logging = logging::Wanted {
        level: arguments.opt_value_from_str("--log-level").map_err(as_text)?,
        format: arguments.opt_value_from_str("--log-format").map_err(as_text)?,
    };
    let overrides: Vec<String> = arguments.values_from_str("--override").map_err(as_text)?;
    let overrides = overrides.iter().map(|text| key_and_value(text)).collect::<Result<_, _>>()?;
    let mut free = arguments.finish().into_iter();
    let properties = free.next();
    let odd = properties.iter().find(|argument| argument.to_string_lossy().starts_with('-'));
    match odd.cloned().or_else(|| free.next()) {
        Some(odd) => {
            Err(format!("{} is not understood; --help says what is", odd.to_string_lossy()))
        }
        None => {
            let properties = properties.map(PathBuf::from);
            Ok(Command::Serve(Serve { properties, overrides, driver, logging }))
        }
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(format!("--override {text}: allowed is key=value")),
    }
}

/// The help text: how to call it, and every key with its default.
pub(crate) fn help() -> String {
    let mut text = String::from(
        "\
A Kafka-compatible broker.

Usage: klamm [server.properties] [OPTIONS]

Without a file the defaults below hold.

Options:
  --override KEY=VALUE  a key of server.properties, before what the file says; as often as needed
  --driver NAME         what carries the broker: std (threads) or smol (tasks); before KLAMM_DRIVER
                        and klamm.driver
  --log-level LEVEL     off, error, warn, info, debug or trace; before KLAMM_LOG; default info
  --log-format FORMAT   text or json; before KLAMM_LOG_FORMAT; default text
  -h, --help            print this
  -V, --version         print the version

Keys of server.properties (Kafka's others are checked, and listed in one warning like those that nobody knows):
",
    );
    for key in keys::all() {
        let Some(documentation) = key.documentation else { continue };
        let default = key.default.map_or(String::new(), |value| format!(" (default {value})"));
        let allowed = key.value_type.allowed();
        write!(text, "\n{}{default}\n    {documentation}\n    {allowed}\n", key.name)
            .expect("a string takes every write");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Command, Serve, help, read};

    fn command(arguments: &[&str]) -> Result<Command, String> {
        read(arguments.iter().map(Into::into).collect())
    }

    fn serve(properties: Option<&str>, driver: Option<&str>) -> Command {
        Command::Serve(Serve {
            properties: properties.map(Into::into),
            driver: driver.map(Into::into),
            ..Serve::default()
        })
    }

    #[test]
    fn file_and_driver_come_in_any_order() {
        assert_eq!(command(&[]), Ok(serve(None, None)));
        assert_eq!(command(&["a.properties"]), Ok(serve(Some("a.properties"), None)));
        assert_eq!(command(&["--driver", "std", "a"]), Ok(serve(Some("a"), Some("std"))));
        assert_eq!(command(&["a", "--driver", "std"]), Ok(serve(Some("a"), Some("std"))));
    }

    #[test]
    fn overrides_keep_their_order() {
        let arguments = ["--override", "node.id=3", "a", "--override", "log.dirs = /a=b"];
        let Ok(Command::Serve(serve)) = command(&arguments) else { panic!("a good command line") };
        let expected = [("node.id", "3"), ("log.dirs", "/a=b")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(serve.overrides, expected);
        assert!(command(&["--override", "node.id"]).is_err());
        assert!(command(&["--override", "=3"]).is_err());
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for arguments in [&["--verbose"][..], &["a", "b"], &["a", "--x"]] {
            let error = command(arguments).expect_err("an error");
            assert!(error.starts_with(arguments[arguments.len() - 1]), "{error}");
        }
        assert!(command(&["--driver"]).is_err());
    }

    #[test]
    fn help_lists_every_key() {
        assert_eq!(command(&["--help"]), Ok(Command::Help));
        assert_eq!(command(&["-V"]), Ok(Command::Version));
        assert!(help().contains("\nnode.id (default 1)\n"));
    }
}
