//! `make-directory DIR --topic NAME:PARTITIONS[,KEY=VALUE]... ...`: a log directory with empty topics.

#![forbid(unsafe_code)]

use std::env;
use std::path::Path;
use std::process::ExitCode;

use klamm_tests::directory::{NewTopic, make};

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("make-directory: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    const USAGE: &str = "usage: make-directory DIR --topic NAME:PARTITIONS[,KEY=VALUE]... ...";
    let [directory, options @ ..] = arguments else { return Err(USAGE.into()) };
    let mut topics = Vec::new();
    for option in options.chunks(2) {
        let [flag, topic] = option else { return Err(USAGE.into()) };
        if flag != "--topic" {
            return Err(USAGE.into());
        }
        topics.push(
            NewTopic::parse(topic)
                .ok_or(format!("{topic} is not NAME:PARTITIONS[,KEY=VALUE]..."))?,
        );
    }
    make(Path::new(directory), &topics).map_err(|error| format!("{directory}: {error}"))
}
