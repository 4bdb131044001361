//! A panic of the machine is a failure of its run like any other.

use std::panic;

#[cfg(not(panic = "unwind"))]
compile_error!("a panic of the machine would end the search: build with `panic = \"unwind\"`");

/// The same panic again and again is told once.
pub(crate) fn quietly<T>(act: impl FnOnce() -> T) -> T {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = act();
    panic::set_hook(usual);
    result
}
