//! A small file system of its own for a test, where the machine allows it.

use std::ffi::OsStr;
use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::directory::unused_path;

/// A tmpfs; unmounted when dropped, also under a server that still has files open.
#[derive(Debug)]
pub(crate) struct Mount {
    path: PathBuf,
}

impl Mount {
    /// Mounts `kib` KiB. `None`, said beside the tests' results, where nothing may be mounted.
    pub(crate) fn new(kib: u32) -> Option<Self> {
        let path = unused_path(&std::env::temp_dir());
        fs::create_dir(&path).expect("made");
        let size = format!("size={kib}k");
        let arguments = ["-t", "tmpfs", "-o", &size, "klamm-test"].map(OsStr::new);
        if run("mount", &[&arguments[..], &[path.as_os_str()]].concat()) {
            return Some(Self { path });
        }
        fs::remove_dir(&path).expect("removed");
        // Not by a macro: what those print is shown for failed tests alone.
        let said = writeln!(
            stderr(),
            "nothing can be mounted here: a full and a read-only disk are tested by injected \
             faults alone (klamm-tests, drivers)"
        );
        said.expect("said");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Changes its options.
    pub(crate) fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let arguments = ["-o", &options].map(OsStr::new);
        let arguments = [&arguments[..], &[self.path.as_os_str()]].concat();
        assert!(run("mount", &arguments), "remounted with {options}");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = run("umount", &[OsStr::new("-l"), self.path.as_os_str()]);
        let removed = fs::remove_dir(&self.path);
        if !std::thread::panicking() {
            assert!(unmounted, "unmounted");
            removed.expect("nothing is left");
        }
    }
}

/// Whether the command ended well; what it says is dropped.
fn run(command: &str, arguments: &[&OsStr]) -> bool {
    let quiet = Stdio::null;
    let status = Command::new(command)
        .args(arguments)
        .stdin(quiet())
        .stdout(quiet())
        .stderr(quiet())
        .status();
    status.is_ok_and(|status| status.success())
}
