//! The command, as a person calls it.

use std::path::Path;
use std::process::Command;

#[test]
fn a_panic_is_told_and_kept_like_any_failure() {
    let keep = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kept-panics");
    let told = Command::new(env!("CARGO_BIN_EXE_klamm-sim"))
        .args(["--break", "panics", "--seeds", "3", "--keep"])
        .arg(&keep)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&told.stdout);
    assert_eq!(told.status.code(), Some(1), "{text}");
    assert!(text.contains("panic: nobody asks five times"), "{text}");
    assert!(text.ends_with("1 seeds, 1 failures\n"), "{text}");
    assert!(keep.join("panics-0.script").is_file(), "{text}");
    std::fs::remove_dir_all(&keep).expect("it was made");
}
