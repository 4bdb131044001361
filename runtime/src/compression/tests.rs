//! Every codec there and back, what else its streams may be, and bombs.

use super::*;

const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn decompress(codec: Codec, input: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let mut stream = Codecs::default().decompress(codec, Bytes::copy_from_slice(input))?;
    let mut out = Vec::new();
    let mut piece = [0; 1_000];
    loop {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            assert_eq!(stream.read(&mut piece)?, 0, "an end stays an end");
            return Ok(out);
        }
        out.extend_from_slice(&piece[..count]);
    }
}

/// Bytes with some repetition in them.
fn text(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    (0..length)
        .map(|at| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if at % 7 < 4 { b'a' } else { (state >> 24) as u8 }
        })
        .collect()
}

#[test]
fn every_codec_gives_back_what_it_took() {
    for codec in CODECS {
        for length in [0, 1, 100, 32_768, 32_769, 500_000] {
            let input = text(length);
            let compressed = compress(codec, &input);
            assert!(decompress(codec, &compressed) == Ok(input), "{codec:?}, {length} bytes");
        }
    }
}

#[test]
fn raw_snappy_is_read_too() {
    for length in [1, 15, 16, 200_000] {
        let input = text(length);
        assert!(decompress(Codec::Snappy, &snappy::compress_raw(&input)) == Ok(input));
    }
}

#[test]
fn empty_input_is_an_error_but_for_zstd() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4] {
        assert!(matches!(decompress(codec, b""), Err(CompressionError::Corrupt(_))), "{codec:?}");
    }
    assert_eq!(decompress(Codec::Zstd, b""), Ok(vec![]));
}

#[test]
fn garbage_is_corrupt() {
    for codec in CODECS {
        let result = decompress(codec, b"this is not compressed data at all");
        assert!(matches!(result, Err(CompressionError::Corrupt(_))), "{codec:?}");
    }
}

#[test]
fn cut_streams_are_errors_wherever_they_are_cut() {
    for codec in CODECS {
        let compressed = compress(codec, &text(3_000));
        // Snappy's framing has no end mark: between blocks it ends well.
        let from = usize::from(codec == Codec::Zstd);
        for cut in from..compressed.len() {
            if codec == Codec::Snappy && (16..20).contains(&cut) {
                assert_eq!(decompress(codec, &compressed[..cut]), Ok(vec![]));
                continue;
            }
            assert!(decompress(codec, &compressed[..cut]).is_err(), "{codec:?} cut at {cut}");
        }
    }
}

#[test]
fn gzip_cut_inside_its_data_ends_early() {
    let compressed = compress(Codec::Gzip, &text(3_000));
    let cut = |at: usize| decompress(Codec::Gzip, &compressed[..at]);
    assert!(matches!(cut(5), Err(CompressionError::Corrupt(_))));
    assert_eq!(cut(compressed.len() / 2), Err(CompressionError::UnexpectedEnd));
    assert_eq!(cut(compressed.len() - 4), Err(CompressionError::UnexpectedEnd));
}

#[test]
fn gzip_members_follow_each_other_and_garbage_behind_them_is_left_alone() {
    let mut compressed = compress(Codec::Gzip, b"one ");
    compressed.extend(compress(Codec::Gzip, b"two"));
    compressed.extend(b"zzz");
    assert_eq!(decompress(Codec::Gzip, &compressed), Ok(b"one two".to_vec()));
}

#[test]
fn snappy_java_streams_follow_each_other() {
    let mut compressed = compress(Codec::Snappy, b"one ");
    compressed.extend(compress(Codec::Snappy, b"two"));
    compressed.extend([0, 0, 0]);
    assert_eq!(decompress(Codec::Snappy, &compressed), Ok(b"one two".to_vec()));
}

#[test]
fn lz4_checks_its_header_and_leaves_what_follows_the_frame_alone() {
    let good = compress(Codec::Lz4, b"records");
    let mut wrong_checksum = good.clone();
    wrong_checksum[6] ^= 1;
    assert!(matches!(decompress(Codec::Lz4, &wrong_checksum), Err(CompressionError::Corrupt(_))));
    let mut trailing = good.clone();
    trailing.extend(b"zzz");
    assert_eq!(decompress(Codec::Lz4, &trailing), Ok(b"records".to_vec()));
    let mut linked = good;
    linked[4] &= !0x20;
    assert!(matches!(decompress(Codec::Lz4, &linked), Err(CompressionError::Corrupt(_))));
}

#[test]
fn zstd_frames_follow_each_other_and_skippable_ones_are_passed_over() {
    let mut compressed = compress(Codec::Zstd, b"one ");
    compressed.extend([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9]);
    compressed.extend(compress(Codec::Zstd, b"two"));
    assert_eq!(decompress(Codec::Zstd, &compressed), Ok(b"one two".to_vec()));
    compressed.extend(b"zzzz");
    assert!(matches!(decompress(Codec::Zstd, &compressed), Err(CompressionError::Corrupt(_))));
}

#[test]
fn zstd_reserved_bit_is_refused() {
    let mut compressed = compress(Codec::Zstd, b"records");
    compressed[4] |= 0x08;
    assert!(matches!(decompress(Codec::Zstd, &compressed), Err(CompressionError::Corrupt(_))));
}

#[test]
fn zstd_window_may_be_claimed_but_not_filled() {
    // A window of 128 MiB, and blocks of 128 KiB of one byte, the last of them flagged.
    let frame = |blocks: usize| {
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88];
        for block in 1..=blocks {
            let header = ((128_u32 << 10) << 3) | (1 << 1) | u32::from(block == blocks);
            frame.extend_from_slice(&header.to_le_bytes()[..3]);
            frame.push(b'x');
        }
        frame
    };
    let small = decompress(Codec::Zstd, &frame(4)).map(|out| out.len());
    assert_eq!(small, Ok(512 << 10));
    let large = decompress(Codec::Zstd, &frame(900)).map(|out| out.len());
    assert!(matches!(large, Err(CompressionError::TooLarge(_))), "{large:?}");
}

#[test]
fn snappy_block_that_lies_about_its_size_takes_no_memory() {
    // 2^32 - 1 bytes in a block of ten.
    let lie = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0];
    assert!(matches!(decompress(Codec::Snappy, &lie), Err(CompressionError::Corrupt(_))));
    let strict = Codecs { snappy_block_bytes_max: 1_000, ..Codecs::default() };
    let input = Bytes::from(snappy::compress_raw(&[7; 1_001]));
    let result = strict.decompress(Codec::Snappy, input).map(|mut stream| stream.read(&mut [0; 9]));
    assert!(matches!(result, Ok(Err(CompressionError::TooLarge(_)))));
}

#[test]
fn flipped_bytes_never_panic_or_run_on() {
    for codec in CODECS {
        let good = compress(codec, &text(2_000));
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0xa5;
            if let Ok(out) = decompress(codec, &bytes) {
                assert!(out.len() < 1 << 20, "{codec:?}, byte {at}");
            }
        }
    }
}

fn compress_up_to(codec: Codec, input: &[u8], bytes_max: usize) -> Result<Bytes, CompressionError> {
    Codecs::default().compress(codec, -1, &mut Slice(input), bytes_max)
}

#[test]
fn output_has_an_end() {
    for codec in CODECS {
        let input = text(300_000);
        let size = compress(codec, &input).len();
        let fits = compress_up_to(codec, &input, size).map(|output| output.len());
        assert_eq!(fits, Ok(size), "{codec:?}");
        for bytes_max in [0, 1, size / 2, size - 1] {
            let result = compress_up_to(codec, &input, bytes_max);
            assert_eq!(result, Err(CompressionError::OutputFull), "{codec:?} {bytes_max}");
        }
    }
}

#[test]
fn compression_ends_soon_after_its_output() {
    // An input without end: it must not be read to its end.
    struct Noise(u32);
    impl ByteStream for Noise {
        fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
            for byte in &mut *out {
                self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (self.0 >> 24) as u8;
            }
            Ok(out.len())
        }
    }
    for codec in CODECS {
        let result = Codecs::default().compress(codec, 1, &mut Noise(1), 1 << 20);
        assert_eq!(result, Err(CompressionError::OutputFull), "{codec:?}");
    }
}

#[test]
fn fault_of_the_input_is_that_of_the_compression() {
    struct Broken(usize);
    impl ByteStream for Broken {
        fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
            self.0 = self.0.checked_sub(1).ok_or(CompressionError::UnexpectedEnd)?;
            out.fill(7);
            Ok(out.len())
        }
    }
    for codec in CODECS {
        for pieces in [0, 1, 50] {
            let result = Codecs::default().compress(codec, 1, &mut Broken(pieces), usize::MAX);
            assert_eq!(result, Err(CompressionError::UnexpectedEnd), "{codec:?} {pieces}");
        }
    }
}

#[test]
fn input_in_small_pieces_gives_the_same_output() {
    struct Drops<'a>(&'a [u8]);
    impl ByteStream for Drops<'_> {
        fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
            let length = out.len().min(13);
            Slice(&self.0[..self.0.len().min(length)]).read(out).inspect(|count| {
                self.0 = &self.0[*count..];
            })
        }
    }
    let input = text(200_000);
    for codec in CODECS {
        let level = CompressionLevels::default().of(codec);
        let drops = Codecs::default().compress(codec, level, &mut Drops(&input), usize::MAX);
        assert!(decompress(codec, &drops.expect("no fault")) == Ok(input.clone()), "{codec:?}");
    }
}

#[test]
fn frames_are_those_of_kafkas_broker() {
    let input = text(100_000);
    let lz4 = compress(Codec::Lz4, &input);
    // Version 1, independent blocks and nothing else; blocks of 64 KiB.
    assert_eq!(lz4[..6], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40]);
    let snappy = compress(Codec::Snappy, &input);
    assert_eq!(snappy[..16], *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    let first_block = snap::raw::decompress_len(&snappy[20..]).expect("a block");
    assert_eq!(first_block, 32 << 10);
}

#[test]
fn gzip_has_levels() {
    let input = text(100_000);
    let size = |level: i32| {
        let output = Codecs::default().compress(Codec::Gzip, level, &mut Slice(&input), usize::MAX);
        output.expect("no bound").len()
    };
    assert!(size(9) < size(1), "{} {}", size(9), size(1));
    assert_eq!(size(-1), size(6));
}
