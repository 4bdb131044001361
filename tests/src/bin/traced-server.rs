//! `traced-server FILE --driver NAME [--losses COUNT]`: serves as `klamm` does, and watches the driver. When it
//! is told to stop (SIGTERM), it plays what the driver did on the simulated disk, and lets the power go at
//! `COUNT` (200) of the answers that promise something, spread over all of them, or at each. Exit code 1:
//! a promise was not kept.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;
use std::{env, fs};

use klamm_core::Exit;
use klamm_core::config::{self, Config};
use klamm_runtime::{Handle, Options};
use klamm_sim::disk::Disk;
use klamm_sim::trace::{Playback, Tracer, promising, put_directory};
use klamm_tests::driver::Driver;
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("traced-server: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<String, String> {
    const USAGE: &str = "usage: traced-server FILE --driver std|smol [--losses COUNT]";
    let [file, options @ ..] = arguments else { return Err(USAGE.into()) };
    let (mut driver, mut losses) = (Driver::Std, 200);
    for option in options.chunks(2) {
        match option {
            [flag, value] if flag == "--driver" && value == "std" => driver = Driver::Std,
            [flag, value] if flag == "--driver" && value == "smol" => driver = Driver::Smol,
            [flag, value] if flag == "--losses" => {
                losses = value.parse().ok().filter(|count| *count > 0).ok_or(USAGE)?;
            }
            _ => return Err(USAGE.into()),
        }
    }
    let config = configuration(file)?;
    // As the driver finds it.
    let mut disk = Disk::new();
    for log_dir in &config.log_dirs {
        put_directory(&mut disk, log_dir.as_str().as_ref(), |_| true)
            .map_err(|error| format!("{log_dir}: {error}"))?;
    }
    disk.set_log_directories(config.log_dirs.clone());
    let tracer = Arc::new(Tracer::default());
    let options = Options { recorder: Some(tracer.clone()), ..Options::default() };
    let server = driver.start(config.clone(), options).map_err(|error| error.to_string())?;
    serve(server)?;
    let steps = tracer.take_steps();
    let playback = Playback::new(disk, config, 1);
    let playback = playback.with_one_loss_in(promising(&steps).div_ceil(losses));
    let played = playback.play(&steps).map_err(|error| error.to_string())?;
    Ok(format!(
        "{} file operations, {} answers, power loss at {} of them: every promise is kept",
        played.operations, played.answers, played.losses
    ))
}

/// Of simple lines `key=value`.
fn configuration(file: &str) -> Result<Config, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let settings = config::parse(pairs).map_err(|error| format!("{file}: {error}"))?;
    Ok(settings.config)
}

/// Until it is told to stop.
fn serve(server: Handle) -> Result<(), String> {
    let mut signals = Signals::new([SIGTERM]).map_err(|error| error.to_string())?;
    for (name, address) in server.addresses() {
        eprintln!("{name}://{address} ");
    }
    signals.forever().next();
    server.shutdown();
    match server.wait() {
        Exit::Clean => Ok(()),
        Exit::Failed(reason) => Err(reason),
    }
}
