//! A length from the wire reserves nothing: what reading a frame allocates stays within what the
//! frame's own size pays for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use klamm_core::api::metadata::MetadataRequest;
use klamm_core::api::produce::ProduceRequest;
use klamm_core::batch::{BatchBuilder, Codec, ProduceRules, check_produced};
use klamm_core::codec::{Message, Reader};
use klamm_core::config::{StoredCompression, TopicConfig};
use klamm_core::error_code::ErrorCode;
use klamm_core::records::MetadataRecord;
use klamm_core::time::Now;
use klamm_runtime::compression::{Codecs, compress};

/// Remembers the largest allocation of each thread.
struct Largest;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(bytes: usize) {
    // A thread that is ending has no cell any more, and no test.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(bytes)));
}

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Largest {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Largest = Largest;

/// The largest single allocation while `read` runs.
fn largest(read: impl FnOnce()) -> usize {
    LARGEST.set(0);
    read();
    LARGEST.get()
}

fn refused<M: Message>(frame: &[u8], version: i16) -> usize {
    let frame = Bytes::copy_from_slice(frame);
    largest(|| assert!(M::read(&mut Reader::new(&frame), version).is_err()))
}

#[test]
fn the_measure_measures() {
    assert!(largest(|| drop(vec![0_u8; 5_000])) >= 5_000);
}

#[test]
fn lengths_beyond_the_frame_reserve_nothing() {
    assert_eq!(refused::<MetadataRequest>(b"\x7f\xff\xff\xff", 1), 0);
    assert_eq!(refused::<MetadataRequest>(b"\xff\xff\xff\xff\x07", 9), 0);
    assert_eq!(refused::<MetadataRequest>(b"\xff\xff\xff\xff\x0f", 9), 0);
    assert_eq!(refused::<ProduceRequest>(b"\xff\xff\0\0\0\0\0\0\x7f\xff\xff\xff", 3), 0);
    assert_eq!(refused::<ProduceRequest>(b"\x7f\xff", 3), 0);
    let record = Bytes::from_static(b"\x01\x03\0\0\0\0\0ABCDEFGHIJKLMNOP\xff\xff\xff\xff\x07");
    assert_eq!(largest(|| assert!(MetadataRecord::decode(&record).is_err())), 0);
}

#[test]
fn a_claim_that_the_bytes_could_hold_reserves_no_more_than_they_are() {
    const BYTES: usize = 1_000_000;
    let mut frame = (BYTES as i32).to_be_bytes().to_vec();
    frame.resize(4 + BYTES, 0xff);
    assert!(refused::<MetadataRequest>(&frame, 1) <= BYTES);
}

#[test]
fn a_batch_that_grows_in_its_topics_codec_takes_no_more_than_its_bound() {
    let mut builder = BatchBuilder::new();
    builder.append(-1, None, Some(&vec![0; 24 << 20]));
    let payload = Bytes::from(compress(Codec::Zstd, builder.records()));
    let records = Bytes::from(builder.compressed(Codec::Zstd, payload).encode(0, -1));
    for (stored, fits) in [
        (StoredCompression::Uncompressed, false),
        (StoredCompression::Codec(Codec::Snappy), false),
        (StoredCompression::Codec(Codec::Lz4), true),
        (StoredCompression::Codec(Codec::Gzip), true),
    ] {
        let config = TopicConfig { compression: stored, ..TopicConfig::default() };
        let rules = ProduceRules {
            version: 13,
            topic: "t",
            partition: 0,
            config: &config,
            decompressed_bytes_max: 64 << 20,
            converted_bytes_max: usize::MAX,
            record_errors_max: 1,
        };
        let check = || {
            let checked =
                check_produced(Some(&records), &rules, &Codecs::default(), Now::default());
            match checked {
                Ok(batch) => assert!(fits && batch.is_converted(), "{stored:?}"),
                Err(fault) => {
                    assert_eq!((fault.error, fits), (ErrorCode::MESSAGE_TOO_LARGE, false));
                }
            }
        };
        // A vector that grows by doubling holds up to twice its content.
        let largest = largest(check);
        assert!(largest <= 2 * config.message_bytes_max as usize, "{stored:?}: {largest}");
    }
}
