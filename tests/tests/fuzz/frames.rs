//! Whole connections', with their broker. `cargo run -p klamm-tests --bin fuzz-frames` runs the same
//! for longer, and watches its memory.

use klamm_tests::fuzz_frames::{FrameFuzz, FrameSource};

use crate::inputs;

const INPUTS: usize = 10_000;

#[test]
fn no_frames_bring_a_connection_to_its_knees() {
    let mut source = FrameSource::new(*b"whatever a peer sends, in pieces");
    let mut fuzz = FrameFuzz::default();
    let inputs = inputs(INPUTS);
    let answered = (0..inputs).filter(|_| fuzz.run(&source.input())).count();
    // Damage must neither be harmless nor hide what lies behind it.
    assert!((inputs / 10..inputs * 9 / 10).contains(&answered), "{answered} answered");
}
