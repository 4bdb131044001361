//! `your_program.sh` in a tree of its own, with a cargo that only says that it was called.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// Stands in for cargo: "builds" a server that prints its arguments.
const CARGO: &str = "#!/bin/sh
echo \"cargo $*\"
while [ $# -gt 0 ]; do
    [ \"$1\" = --target-dir ] && target=$2
    shift
done
printf '#!/bin/sh\\nprintf \"<%%s>\" \"$@\"\\nexit 7\\n' >\"$target/release/klamm\"
chmod +x \"$target/release/klamm\"
";

/// A copy of the script among the folders that it looks at; removed when dropped.
struct Tree(PathBuf);

impl Tree {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("klamm script {}-{number}", std::process::id());
        let tree = Self(std::env::temp_dir().join(name));
        let parts = ["core", "runtime", "runtime-std", "runtime-smol", "server"];
        let sources = parts.map(|part| format!("{part}/src"));
        for folder in ["bin", "away"].into_iter().chain(sources.iter().map(String::as_str)) {
            fs::create_dir_all(tree.0.join(folder)).expect("made");
        }
        for file in ["Cargo.toml", "Cargo.lock", "core/src/lib.rs", "server/src/main.rs"] {
            fs::write(tree.0.join(file), "").expect("written");
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../your_program.sh");
        copy_program(&script, &tree.0.join("your_program.sh"));
        for tool in ["sh", "find", "dirname", "readlink", "mkdir", "mv", "chmod"] {
            let homes = [Path::new("/bin"), Path::new("/usr/bin")];
            let found = homes.map(|home| home.join(tool)).into_iter().find(|path| path.exists());
            symlink(found.expect("a tool of every system"), tree.0.join("bin").join(tool))
                .expect("linked");
        }
        let cargo = tree.0.join("away/cargo");
        fs::write(&cargo, CARGO).expect("written");
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("set");
        copy_program(&cargo, &tree.0.join("bin/cargo"));
        tree
    }

    /// Runs the script (or a link to it) from another directory; no cargo but the tree's is to be found.
    fn run(&self, script: &str, arguments: &[&str]) -> Output {
        Command::new(self.0.join(script))
            .args(arguments)
            .current_dir(self.0.join("away"))
            .env("PATH", self.0.join("bin"))
            .output()
            .expect("the script runs")
    }

    /// True when this run called cargo. It checks that the server got its arguments and gave its code.
    fn builds(&self) -> bool {
        let output = self.run("your_program.sh", &["a b", "", "--driver", "std"]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.stdout, b"<a b><><--driver><std>", "{error}");
        assert_eq!(output.status.code(), Some(7));
        assert!(error.is_empty() || error.contains("build --release --locked -p klamm"), "{error}");
        !error.is_empty()
    }

    /// Writes a file later than everything before: file times are told apart by some milliseconds.
    fn touch(&self, file: &str) {
        thread::sleep(Duration::from_millis(20));
        fs::write(self.0.join(file), "changed").expect("written");
    }
}

/// Copies what will be executed by another process. If this one wrote it, a child that another test
/// starts meanwhile could still have it open for writing, and the system would not execute it.
fn copy_program(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-p").args([from, to]).status().expect("cp runs");
    assert!(status.success(), "{} is copied", from.display());
}

impl Drop for Tree {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("nobody uses it any more");
    }
}

#[test]
fn it_builds_only_when_a_source_is_newer() {
    let tree = Tree::new();
    assert!(tree.builds(), "there is no binary");
    assert!(!tree.builds());
    for source in ["core/src/lib.rs", "server/src/main.rs", "Cargo.toml", "Cargo.lock"] {
        tree.touch(source);
        assert!(tree.builds(), "{source} has changed");
        assert!(!tree.builds());
    }
    tree.touch("server/src/notes.txt");
    fs::create_dir_all(tree.0.join("server/tests")).expect("made");
    tree.touch("server/tests/end_to_end.rs");
    tree.builds();
    tree.touch("server/tests/end_to_end.rs");
    assert!(!tree.builds(), "a test is no part of the binary");
    thread::sleep(Duration::from_millis(20));
    fs::remove_file(tree.0.join("core/src/lib.rs")).expect("removed");
    assert!(tree.builds(), "a source is gone");
}

#[test]
fn it_works_through_links() {
    let tree = Tree::new();
    symlink(tree.0.join("your_program.sh"), tree.0.join("away/link")).expect("linked");
    symlink("link", tree.0.join("away/second")).expect("linked");
    let output = tree.run("away/second", &["x"]);
    assert_eq!(output.stdout, b"<x>", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn without_cargo_it_says_so_unless_there_is_a_binary() {
    let tree = Tree::new();
    fs::rename(tree.0.join("bin/cargo"), tree.0.join("bin/hidden")).expect("renamed");
    let output = tree.run("your_program.sh", &[]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("cargo is not installed"), "{error}");

    fs::rename(tree.0.join("bin/hidden"), tree.0.join("bin/cargo")).expect("renamed");
    assert!(tree.builds());
    fs::remove_file(tree.0.join("bin/cargo")).expect("removed");
    assert!(!tree.builds());
    tree.touch("core/src/lib.rs");
    let output = tree.run("your_program.sh", &["x"]);
    assert_eq!(output.stdout, b"<x>");
    assert!(String::from_utf8_lossy(&output.stderr).contains("older than its sources"));
}
