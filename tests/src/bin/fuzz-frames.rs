//! `fuzz-frames [--count N] [--seed N]`: random and damaged frames to a connection and its broker.
//!
//! Ends with the first broken rule; memory that grows with a claim in a frame is one. Beside the
//! frames that are sent here, `cargo test -p klamm-tests` sends a few thousand of a fixed seed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::env;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use klamm_tests::fuzz_frames::{FrameFuzz, FrameSource};

/// What one input may make two connections, their brokers and disks hold beyond what they held
/// before: a new pair of brokers, or a decompressor's window. An input has a few kilobytes, the
/// sizes and counts in it go up to gigabytes.
const HELD_BYTES_MAX: usize = 16 << 20;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator with the caller's own arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(held, Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("fuzz-frames: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let (mut count, mut seed) = (1_000_000_u64, 0_u64);
    for option in arguments.chunks(2) {
        let number = option.get(1).and_then(|text| text.parse().ok());
        match (&*option[0], number) {
            ("--count", Some(number)) => count = number,
            ("--seed", Some(number)) => seed = number,
            _ => return Err("usage: fuzz-frames [--count N] [--seed N]".to_owned()),
        }
    }
    println!("seed {seed}, {count} inputs");
    let mut key = *b"seeded by a number: 0000 0000 \0\0";
    key[..8].copy_from_slice(&seed.to_be_bytes());
    let mut source = FrameSource::new(key);
    let mut fuzz = FrameFuzz::default();
    let (mut answered, mut most) = (0_u64, 0);
    for at in 0..count {
        let input = source.input();
        let before = HELD.load(Relaxed);
        MOST.store(before, Relaxed);
        answered += u64::from(fuzz.run(&input));
        let held = MOST.load(Relaxed) - before;
        most = most.max(held);
        if held > HELD_BYTES_MAX {
            return Err(format!("input {at} made it hold {held} bytes: {input:02x?}"));
        }
    }
    println!("{answered} answered, at most {most} bytes held for one");
    Ok(())
}
