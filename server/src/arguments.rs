//! The command line.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use klamm_core::config::keys::KEYS;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print the help text.
    Help,
    /// Print name and version.
    Version,
    /// Be a broker.
    Serve {
        /// `server.properties`; without it the defaults hold.
        properties: Option<PathBuf>,
        /// `--driver`; it goes before `KLAMM_DRIVER` and `klamm.driver`.
        driver: Option<String>,
    },
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
    let driver = arguments.opt_value_from_str("--driver").map_err(|error| error.to_string())?;
    let mut free = arguments.finish().into_iter();
    let properties = free.next();
    let odd = properties.iter().find(|argument| argument.to_string_lossy().starts_with('-'));
    match odd.cloned().or_else(|| free.next()) {
        Some(odd) => {
            Err(format!("{} is not understood; --help says what is", odd.to_string_lossy()))
        }
        None => Ok(Command::Serve { properties: properties.map(PathBuf::from), driver }),
    }
}

/// The help text: how to call it, and every key with its default.
pub(crate) fn help() -> String {
    let mut text = String::from(
        "\
A Kafka-compatible broker.

Usage: klamm [server.properties] [--driver NAME]

Without a file the defaults below hold. KLAMM_LOG sets what is logged (error, warn, info, debug, trace).

Options:
  --driver NAME   what carries the broker: std (threads) or smol (tasks); before KLAMM_DRIVER and klamm.driver
  -h, --help      print this
  -V, --version   print the version

Keys of server.properties (others are accepted and listed in one warning):
",
    );
    for key in KEYS {
        let default = key.default.map_or(String::new(), |value| format!(" (default {value})"));
        let allowed = key.value_type.allowed();
        write!(text, "\n{}{default}\n    {}\n    {allowed}\n", key.name, key.documentation)
            .expect("a string takes every write");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Command, help, read};

    fn command(arguments: &[&str]) -> Result<Command, String> {
        read(arguments.iter().map(Into::into).collect())
    }

    fn serve(properties: Option<&str>, driver: Option<&str>) -> Command {
        Command::Serve { properties: properties.map(Into::into), driver: driver.map(Into::into) }
    }

    #[test]
    fn file_and_driver_come_in_any_order() {
        assert_eq!(command(&[]), Ok(serve(None, None)));
        assert_eq!(command(&["a.properties"]), Ok(serve(Some("a.properties"), None)));
        assert_eq!(command(&["--driver", "std", "a"]), Ok(serve(Some("a"), Some("std"))));
        assert_eq!(command(&["a", "--driver", "std"]), Ok(serve(Some("a"), Some("std"))));
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
