//! Random producers against a plain model: every batch ever accepted, in a list.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{NOW, duplicate, info};
use crate::error_code::ErrorCode;
use crate::log::producers::{ProducerStates, Verdict};
use crate::rng::Rng;

#[derive(Clone, Copy)]
struct Sent {
    producer: i64,
    epoch: i16,
    sequence: i32,
    count: i32,
    offset: i64,
}

/// The whole history, and how much of a producer's is remembered.
#[derive(Default)]
struct Model {
    accepted: Vec<Sent>,
    /// Index into `accepted`: what a snapshot left, one batch a producer.
    kept_from: Vec<(i64, usize)>,
}

impl Model {
    /// The batches of the producer's last epoch that are remembered, the oldest first.
    fn window(&self, producer: i64) -> Vec<Sent> {
        let kept = self.kept_from.iter().find(|(id, _)| *id == producer);
        let from = kept.map_or(0, |(_, from)| *from);
        let of_it = self
            .accepted
            .iter()
            .enumerate()
            .filter(|(at, sent)| *at >= from && sent.producer == producer);
        let all: Vec<Sent> = of_it.map(|(_, sent)| *sent).collect();
        let epoch = all.last().map(|last| last.epoch);
        let run = all.iter().rev().take_while(|sent| Some(sent.epoch) == epoch).take(5);
        let mut window: Vec<Sent> = run.copied().collect();
        window.reverse();
        window
    }

    fn judge(&self, batch: &Sent) -> Verdict {
        let window = self.window(batch.producer);
        let Some(last) = window.last() else { return Verdict::Accept };
        let same = |sent: &&Sent| {
            (sent.epoch, sent.sequence, sent.count) == (batch.epoch, batch.sequence, batch.count)
        };
        if let Some(original) = window.iter().find(same) {
            let last_offset = original.offset + i64::from(original.count) - 1;
            return duplicate(original.offset, last_offset, 999 + i64::from(original.count));
        }
        if batch.epoch < last.epoch {
            return Verdict::Refused(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        let next = (i64::from(last.sequence) + i64::from(last.count)) % (1 << 31);
        let expected = if batch.epoch > last.epoch { 0 } else { next as i32 };
        if batch.sequence == expected {
            Verdict::Accept
        } else {
            Verdict::Refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER)
        }
    }

    /// A restart: of each producer the last batch is left.
    fn snapshot(&mut self) {
        self.kept_from.clear();
        for (at, sent) in self.accepted.iter().enumerate() {
            self.kept_from.retain(|(id, _)| *id != sent.producer);
            self.kept_from.push((sent.producer, at));
        }
    }
}

/// A batch that a producer in good or bad order may send next.
fn draw(model: &Model, rng: &mut Rng) -> Sent {
    let producer = rng.below(4) as i64;
    let count = 1 + rng.below(3) as i32;
    let window = model.window(producer);
    let Some(last) = window.last() else {
        let sequence = if rng.below(2) == 0 { 0 } else { i32::MAX - rng.below(4) as i32 };
        return Sent { producer, epoch: rng.below(2) as i16, sequence, count, offset: 0 };
    };
    let next = (i64::from(last.sequence) + i64::from(last.count)) % (1 << 31);
    let fresh = Sent { producer, epoch: last.epoch, sequence: next as i32, count, offset: 0 };
    match rng.below(8) {
        0..=3 => fresh,
        4 => window[rng.below(window.len() as u64) as usize],
        5 => Sent { sequence: (fresh.sequence ^ 2) & i32::MAX, ..fresh },
        6 => Sent { epoch: last.epoch + 1, sequence: 0, ..fresh },
        _ => {
            let epoch = last.epoch + rng.below(3) as i16 - 1;
            Sent { epoch, sequence: rng.below(4) as i32, ..fresh }
        }
    }
}

#[test]
fn verdicts_are_those_of_a_plain_model() {
    for seed in 0..40 {
        let mut rng = Rng::from_seed([seed; 32]);
        let (mut model, mut states, mut end) = (Model::default(), ProducerStates::default(), 0);
        for step in 0..300 {
            let batch = draw(&model, &mut rng);
            let info = info(batch.producer, batch.epoch, batch.sequence, batch.count);
            let verdict = states.check(&info);
            assert_eq!(verdict, model.judge(&batch), "seed {seed}, step {step}");
            if verdict == Verdict::Accept {
                states.note(&info, end, NOW);
                model.accepted.push(Sent { offset: end, ..batch });
                end += i64::from(batch.count);
            }
            if rng.below(40) == 0 {
                let snapshot = Bytes::from(states.snapshot());
                states = ProducerStates::parse_snapshot(&snapshot).expect("our own file");
                model.snapshot();
            }
        }
    }
}
