//! What is left of a failed run: its script, a smaller one, and the commands that replay them.

use std::path::{Path, PathBuf};

use klamm_sim::minimise::{RUNS_MAX, minimise};
use klamm_sim::world::{Failure, World};

use crate::arguments::Arguments;
use crate::{Runs, panics, say};

/// Where failures are kept.
pub(crate) struct Failures {
    directory: PathBuf,
}

impl Failures {
    pub(crate) fn of(arguments: &Arguments) -> Self {
        Self { directory: Path::new(&arguments.keep).to_owned() }
    }

    /// Keeps the script of a failed run under this name.
    pub(crate) fn keep(&self, failure: &Failure, name: &str, runs: &Runs) {
        let told = self.write(failure, name).map_or_else(
            |what| format!("  not kept: {what}"),
            |file| format!("  script: {file}, to replay: {} --trace", runs.again_by(&file)),
        );
        say(&told);
    }

    /// Makes the run smaller as long as it fails in the same way, and keeps that.
    pub(crate) fn minimise(&self, failure: &Failure, name: &str, runs: &Runs) {
        let smaller = panics::quietly(|| {
            minimise(failure, RUNS_MAX, |options, decisions| {
                runs.broken(World::new(options, decisions))
            })
        });
        say(&format!("  smaller: FAILED {smaller}"));
        self.keep(&smaller, &format!("{name}.min"), runs);
    }

    fn write(&self, failure: &Failure, name: &str) -> Result<String, String> {
        let file = self.directory.join(format!("{name}.script"));
        let told = failure.to_string();
        let text = format!("# {}\n{}", told.replace('\n', "\n# "), failure.script.to_text());
        let written =
            std::fs::create_dir_all(&self.directory).and_then(|()| std::fs::write(&file, text));
        let file = file.display().to_string();
        written.map(|()| file.clone()).map_err(|error| format!("{file}: {error}"))
    }
}
