//! The codec's, each input whole and cut at each byte.

use klamm_core::rng::Rng;
use klamm_tests::fuzz_codec::{fuzz_frame, fuzz_messages, fuzz_record, odd_bytes, record_bytes};

use crate::inputs;

const INPUTS: usize = 400;

#[test]
fn no_bytes_bring_the_codec_to_its_knees() {
    let mut rng = Rng::from_seed(*b"messages, whole and in bits ... ");
    let (inputs, mut passed) = (inputs(INPUTS), 0);
    for _ in 0..inputs {
        let bytes = odd_bytes(&mut rng);
        for cut in 0..=bytes.len() {
            passed += fuzz_messages(&bytes[..cut]);
            fuzz_frame(&bytes[cut..]);
        }
    }
    assert!(passed > inputs, "{passed} passed: the inputs are too odd");
}

#[test]
fn no_bytes_bring_the_records_to_their_knees() {
    let mut rng = Rng::from_seed(*b"records, whole and in bits .... ");
    let (inputs, mut passed) = (inputs(INPUTS), 0);
    for _ in 0..inputs {
        let bytes = record_bytes(&mut rng);
        passed += usize::from(fuzz_record(&bytes));
        for cut in 0..bytes.len() {
            fuzz_record(&bytes[..cut]);
        }
        fuzz_record(&odd_bytes(&mut rng));
    }
    // Damage must neither be harmless nor hide what lies behind it.
    assert!((inputs / 4..inputs).contains(&passed), "{passed} passed");
}
