//! Random values of the types that messages are made of, the odd ones among them often.

use bytes::Bytes;
use klamm_core::api::fetch::Records;
use klamm_core::error_code::ErrorCode;
use klamm_core::ids::Uuid;
use klamm_core::rng::Rng;

/// The generator of one case.
pub(crate) fn rng(seed: u64) -> Rng {
    let mut bytes = [0x5a; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut rng = Rng::from_seed(bytes);
    // Seeds that differ in a few bits give like numbers at first.
    for _ in 0..20 {
        rng.next_u64();
    }
    rng
}

/// A value drawn at random.
pub(crate) trait Arbitrary {
    fn arbitrary(rng: &mut Rng) -> Self;
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Arbitrary for $type {
            fn arbitrary(rng: &mut Rng) -> Self {
                match rng.below(6) {
                    0 => <$type>::MIN,
                    1 => <$type>::MAX,
                    2 => 0,
                    3 => rng.below(100) as $type,
                    _ => rng.next_u64() as $type,
                }
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, u16);

impl Arbitrary for bool {
    fn arbitrary(rng: &mut Rng) -> Self {
        rng.below(2) == 1
    }
}

impl Arbitrary for ErrorCode {
    fn arbitrary(rng: &mut Rng) -> Self {
        Self(i16::arbitrary(rng))
    }
}

impl Arbitrary for Uuid {
    fn arbitrary(rng: &mut Rng) -> Self {
        if rng.below(4) == 0 { Self::ZERO } else { rng.uuid() }
    }
}

impl Arbitrary for String {
    fn arbitrary(rng: &mut Rng) -> Self {
        let length = [0, 1, 5, 126, 127, 128, 300][rng.below(7) as usize];
        (0..length).map(|_| ['a', 'ä', '語', '🦀', '\0'][rng.below(5) as usize]).collect()
    }
}

impl Arbitrary for Bytes {
    fn arbitrary(rng: &mut Rng) -> Self {
        let length = [0, 1, 126, 127, 128, 20_000][rng.below(6) as usize];
        (0..length).map(|_| rng.next_u64() as u8).collect()
    }
}

/// In memory, which is what can be read back.
impl Arbitrary for Records {
    fn arbitrary(rng: &mut Rng) -> Self {
        Self::Bytes(Bytes::arbitrary(rng))
    }
}

impl<T: Arbitrary> Arbitrary for Option<T> {
    fn arbitrary(rng: &mut Rng) -> Self {
        (rng.below(3) > 0).then(|| T::arbitrary(rng))
    }
}

impl<T: Arbitrary> Arbitrary for Vec<T> {
    fn arbitrary(rng: &mut Rng) -> Self {
        (0..rng.below(4)).map(|_| T::arbitrary(rng)).collect()
    }
}
