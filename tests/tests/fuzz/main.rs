//! The fuzz bodies under fixed seeds. `KLAMM_FUZZ_INPUTS` draws more inputs than a plain run.

mod batch;
mod codec;
mod frames;

/// How many inputs to draw, `usually` unless the environment says otherwise.
fn inputs(usually: usize) -> usize {
    match std::env::var("KLAMM_FUZZ_INPUTS") {
        Ok(text) => text.parse().expect("KLAMM_FUZZ_INPUTS is a number"),
        Err(_) => usually,
    }
}
