//! A small file replaced so that a crash leaves the old one or the new one, whole.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::effect::{FileRef, Operation, Path};
use crate::ids::Numbering;

/// The operations that put `content` in the place of the file at `path`, durably: beside it under
/// Kafka's name for that (`.tmp`), then renamed over it.
///
/// Two replacements of one file must not be out together.
pub fn replace_file(
    path: &Path,
    content: impl Into<Bytes>,
    numbering: &mut Numbering,
) -> Vec<Operation> {
    let temporary = Path::new(&format!("{path}.tmp"));
    let file = FileRef { id: numbering.file(), path: temporary.clone() };
    vec![
        Operation::Create(file.clone()),
        Operation::Write { file: file.clone(), position: 0, data: vec![content.into()] },
        Operation::Sync(file.clone()),
        Operation::Close(file),
        Operation::Rename { from: temporary, to: path.clone() },
        Operation::SyncDirectory(path.parent()),
    ]
}

#[cfg(test)]
mod tests {
    use super::replace_file;
    use crate::effect::{Operation, Path};
    use crate::ids::{JobId, Numbering};

    #[test]
    fn content_is_durable_before_it_takes_the_name() {
        let mut numbering = Numbering::new(JobId::BROKER);
        let operations = replace_file(&Path::new("/data/a"), "text", &mut numbering);
        let kinds = operations.iter().map(|operation| match operation {
            Operation::Create(file) => ("create", file.path.as_str()),
            Operation::Write { file, .. } => ("write", file.path.as_str()),
            Operation::Sync(file) => ("sync", file.path.as_str()),
            Operation::Close(file) => ("close", file.path.as_str()),
            Operation::Rename { to, .. } => ("rename", to.as_str()),
            Operation::SyncDirectory(path) => ("sync directory", path.as_str()),
            other => panic!("{other:?}"),
        });
        let expected = [
            ("create", "/data/a.tmp"),
            ("write", "/data/a.tmp"),
            ("sync", "/data/a.tmp"),
            ("close", "/data/a.tmp"),
            ("rename", "/data/a"),
            ("sync directory", "/data"),
        ];
        assert!(kinds.eq(expected));
    }
}
