//! `.snapshot`: the producers of a log before an offset (`ProducerStateManager.writeSnapshot`,
//! `ProducerSnapshot.json`). Of each producer's batches only the last one is kept.

use alloc::vec::Vec;

use bytes::Bytes;

use super::ProducerStates;
use super::producer::{Producer, Remembered};
use crate::codec::{DecodeError, Reader};

const VERSION: i16 = 1;

/// Version and CRC, which stand before what the CRC covers.
const CRC_COVERS_FROM: usize = 6;

/// Bytes of one producer.
const ENTRY_BYTES: usize = 46;

/// A `.snapshot` file that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It ends too early, or claims more producers than it has bytes for.
    #[error("the file ends inside its producers")]
    Ends,
    /// Another version than the only one there is.
    #[error("version {0} is unknown")]
    Version(i16),
    /// Its bytes are not those that were written.
    #[error("the CRC of the content is {computed:08x}, the file says {stored:08x}")]
    Crc {
        /// In the file.
        stored: u32,
        /// Of its content.
        computed: u32,
    },
}

impl From<DecodeError> for SnapshotError {
    fn from(_: DecodeError) -> Self {
        Self::Ends
    }
}

impl ProducerStates {
    /// The content of a `.snapshot` file. Its name says which offsets it covers.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes =
            Vec::with_capacity(CRC_COVERS_FROM + 4 + self.producers.len() * ENTRY_BYTES);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(self.producers.len() as i32).to_be_bytes());
        for (id, producer) in &self.producers {
            write_entry(*id, producer, &mut bytes);
        }
        let crc = crc32c::crc32c(&bytes[CRC_COVERS_FROM..]);
        bytes[2..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// Reads a `.snapshot` file. Bytes behind the producers are ignored, as in Kafka.
    pub fn parse_snapshot(bytes: &Bytes) -> Result<Self, SnapshotError> {
        let mut reader = Reader::new(bytes);
        let version = reader.i16()?;
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        let stored = u32::from_be_bytes(reader.array()?);
        let computed = crc32c::crc32c(&bytes[CRC_COVERS_FROM..]);
        if stored != computed {
            return Err(SnapshotError::Crc { stored, computed });
        }
        let count = usize::try_from(reader.i32()?).map_err(|_| SnapshotError::Ends)?;
        let mut states = Self::default();
        for _ in 0..count {
            read_entry(&mut reader, &mut states)?;
        }
        Ok(states)
    }
}

fn write_entry(id: i64, producer: &Producer, out: &mut Vec<u8>) {
    let none = Remembered { last_sequence: -1, last_offset: -1, ..Remembered::default() };
    let last = producer.last_batch().unwrap_or(&none);
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&producer.epoch.to_be_bytes());
    out.extend_from_slice(&last.last_sequence.to_be_bytes());
    out.extend_from_slice(&last.last_offset.to_be_bytes());
    out.extend_from_slice(&last.offset_delta.to_be_bytes());
    out.extend_from_slice(&producer.last_timestamp_ms.to_be_bytes());
    out.extend_from_slice(&producer.coordinator_epoch.to_be_bytes());
    out.extend_from_slice(&producer.transaction_start.unwrap_or(-1).to_be_bytes());
}

fn read_entry(reader: &mut Reader<'_>, states: &mut ProducerStates) -> Result<(), SnapshotError> {
    let id = reader.i64()?;
    let epoch = reader.i16()?;
    let mut batch = Remembered {
        last_sequence: reader.i32()?,
        last_offset: reader.i64()?,
        offset_delta: reader.i32()?,
        timestamp_ms: 0,
    };
    let last_timestamp_ms = reader.i64()?;
    batch.timestamp_ms = last_timestamp_ms;
    let coordinator_epoch = reader.i32()?;
    let transaction_start = Some(reader.i64()?).filter(|start| *start >= 0);
    states.restore(id, |producer| {
        producer.epoch = epoch;
        producer.coordinator_epoch = coordinator_epoch;
        producer.last_timestamp_ms = last_timestamp_ms;
        producer.transaction_start = transaction_start;
        if batch.last_offset >= 0 {
            producer.restore(batch);
        }
    });
    Ok(())
}
