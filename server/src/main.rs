//! The server: command line, `server.properties`, logging, signals. Everything else is a library.

#![forbid(unsafe_code)]

mod arguments;
mod driver;
mod logging;
mod properties;
mod serve;
mod signals;

use std::env;
use std::panic;
use std::process::{self, ExitCode};
use std::time::Instant;

use arguments::{Command, Serve};

fn main() -> ExitCode {
    let begun = Instant::now();
    end_at_panics();
    match run(begun) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("klamm: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// A panic is a fault of ours: the process ends as if it were killed, and acknowledges nothing more.
fn end_at_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        usual(info);
        process::abort();
    }));
}

/// The error is one line for a person.
fn run(begun: Instant) -> Result<(), String> {
    match arguments::read(env::args_os().skip(1).collect())? {
        Command::Help => print!("{}", arguments::help()),
        Command::Version => println!("klamm {}", env!("CARGO_PKG_VERSION")),
        Command::Serve(Serve { properties: file, overrides, driver, logging }) => {
            logging::start(logging)?;
            let (settings, source) =
                properties::read(file.as_deref(), overrides).map_err(|error| error.to_string())?;
            serve::serve(settings, &source, driver, begun)?;
        }
    }
    Ok(())
}
