//! A panic of the machine is a failure of its run like any other; where it ends the process (in a
//! release build, `panic = "abort"`), it is told at least by which command it happens again.

use std::panic;
use std::sync::Mutex;

struct Now {
    /// The command that repeats the run under way.
    again: String,
    /// What a search would end with.
    last_line: String,
    is_quiet: bool,
}

static NOW: Mutex<Now> =
    Mutex::new(Now { again: String::new(), last_line: String::new(), is_quiet: false });

fn change(act: impl FnOnce(&mut Now)) {
    if let Ok(mut now) = NOW.lock() {
        act(&mut now);
    }
}

/// From now on panics are told with the run that they happen in.
pub(crate) fn tell_of_runs() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let Ok(now) = NOW.lock() else { return };
        if !now.is_quiet {
            usual(info);
        }
        if cfg!(panic = "abort") {
            println!("to replay: {}\n{}", now.again, now.last_line);
            std::process::exit(1);
        }
    }));
}

/// This run is under way, and would be the search's last one.
pub(crate) fn now(again: &str, last_line: &str) {
    change(|now| {
        again.clone_into(&mut now.again);
        last_line.clone_into(&mut now.last_line);
    });
}

/// The same panic again and again is told once.
pub(crate) fn quietly(act: impl FnOnce()) {
    change(|now| now.is_quiet = true);
    act();
    change(|now| now.is_quiet = false);
}
