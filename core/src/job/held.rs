//! What is held of a file that is read in pieces.

use bytes::{Bytes, BytesMut};

/// Puts what was read behind what is held.
pub(super) fn append(held: &mut Bytes, data: &Bytes) {
    if held.is_empty() {
        *held = data.clone();
        return;
    }
    let mut joined = BytesMut::with_capacity(held.len() + data.len());
    joined.extend_from_slice(held);
    joined.extend_from_slice(data);
    *held = joined.freeze();
}
