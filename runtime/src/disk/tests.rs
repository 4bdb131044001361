use std::sync::Mutex;

use klamm_core::effect::{IoErrorKind, Path};
use klamm_core::ids::{FileId, JobId};
use shuttle::check_random;

use super::*;

/// Keeps the calls; refuses what begins at `broken`.
#[derive(Default)]
struct Calls {
    made: Mutex<Vec<Operation>>,
    broken: Option<u64>,
}

impl Disk for Calls {
    fn perform(&self, operation: &Operation) -> Result<OperationResult, IoError> {
        self.made.lock().unwrap().push(operation.clone());
        match operation {
            Operation::Write { file, position, .. } if self.broken == Some(*position) => {
                Err(IoError::new(&file.path, IoErrorKind::Other, "broken"))
            }
            _ => Ok(OperationResult::Done),
        }
    }

    fn open(&self, file: &FileRef) -> Result<Arc<File>, IoError> {
        Err(IoError::new(&file.path, IoErrorKind::NotFound, "there are no files here"))
    }
}

fn file(number: u64) -> FileRef {
    FileRef { id: FileId { owner: JobId::BROKER, number }, path: Path::new("d/f") }
}

fn write(number: u64, position: u64, data: &[&'static str]) -> Operation {
    let data = data.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
    Operation::Write { file: file(number), position, data }
}

/// Carries the effects out; gives the calls, and the completions in their order.
fn carry_out(
    effects: Vec<Vec<Operation>>,
    broken: Option<u64>,
) -> (Vec<Operation>, Vec<(EffectId, Completion)>) {
    let calls = Arc::new(Calls { broken, ..Calls::default() });
    let disk = WatchedDisk { disk: Arc::clone(&calls) as Arc<dyn Disk>, recorder: None };
    let numbered =
        effects.into_iter().zip(0..).map(|(operations, number)| (id(number), operations));
    let effects = numbered.map(|(id, operations)| (id, Effect::Operations(operations))).collect();
    let mut completions = Vec::new();
    disk.carry_out_all(effects, |id, completion| completions.push((id, completion)));
    let made = std::mem::take(&mut *calls.made.lock().unwrap());
    (made, completions)
}

fn id(number: u64) -> EffectId {
    EffectId { owner: JobId::BROKER, number }
}

fn done(number: u64, results: usize) -> (EffectId, Completion) {
    (id(number), Completion::Done(vec![OperationResult::Done; results]))
}

#[test]
fn writes_behind_one_another_are_one_call_and_complete_one_by_one() {
    check_random(
        || {
            let effects = vec![
                vec![write(1, 10, &["ab", "c"])],
                vec![write(1, 13, &["de"])],
                vec![write(1, 15, &["f"])],
                vec![write(2, 16, &["another file"])],
                vec![write(2, 99, &["behind a gap"])],
                vec![write(2, 111, &["not", "alone"]), Operation::Sync(file(2))],
                vec![write(2, 119, &["behind what is not alone"])],
            ];
            let (calls, completions) = carry_out(effects, None);
            let expected = [
                write(1, 10, &["ab", "c", "de", "f"]),
                write(2, 16, &["another file"]),
                write(2, 99, &["behind a gap"]),
                write(2, 111, &["not", "alone"]),
                Operation::Sync(file(2)),
                write(2, 119, &["behind what is not alone"]),
            ];
            assert_eq!(calls, expected);
            let expected =
                [0, 1, 2, 3, 4, 5, 6].map(|number| done(number, 1 + usize::from(number == 5)));
            assert_eq!(completions, expected);
        },
        1,
    );
}

#[test]
fn a_failed_call_fails_each_of_its_writes_and_no_other() {
    check_random(
        || {
            let effects = vec![
                vec![write(2, 0, &["before"])],
                vec![write(1, 10, &["a"])],
                vec![write(1, 11, &["b"])],
                vec![write(2, 6, &["after"])],
            ];
            let (_, completions) = carry_out(effects, Some(10));
            let error = IoError::new(&file(1).path, IoErrorKind::Other, "broken");
            let failed = |number| {
                (id(number), Completion::Failed { done: Vec::new(), error: error.clone() })
            };
            assert_eq!(completions, [done(0, 1), failed(1), failed(2), done(3, 1)]);
        },
        1,
    );
}
