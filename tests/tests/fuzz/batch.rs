//! The record batches', each input whole and cut at each byte.

use klamm_core::rng::Rng;
use klamm_tests::fuzz_batch::{fuzz_check, fuzz_convert, fuzz_records, fuzz_scan, record_set};

use crate::inputs;

const INPUTS: usize = 1_000;

#[test]
fn no_bytes_bring_the_batch_code_to_its_knees() {
    let mut rng = Rng::from_seed(*b"record batches, whole or in bits");
    let (inputs, mut passed) = (inputs(INPUTS), 0);
    for _ in 0..inputs {
        let bytes = record_set(&mut rng);
        fuzz_records(bytes.get(61..).unwrap_or_default());
        passed += usize::from(fuzz_check(&bytes));
        for cut in 0..=bytes.len() {
            fuzz_scan(&bytes[..cut]);
            fuzz_records(&bytes[cut..]);
            fuzz_check(&bytes[..cut]);
        }
    }
    // Damage must neither be harmless nor hide what lies behind it.
    assert!((inputs / 10..inputs * 9 / 10).contains(&passed), "{passed} passed");
}

#[test]
fn no_bytes_bring_the_conversion_to_its_knees() {
    let mut rng = Rng::from_seed(*b"batches for topics of any codec!");
    let (inputs, mut converted) = (inputs(INPUTS), 0);
    for _ in 0..inputs {
        converted += usize::from(fuzz_convert(&record_set(&mut rng)));
    }
    assert!((inputs / 10..inputs * 9 / 10).contains(&converted), "{converted} converted");
}
