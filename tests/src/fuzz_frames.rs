//! The fuzz body for whole connections: whatever bytes a peer sends, nothing panics, no budget leaks,
//! the connection comes to its end, and pieces make no difference.

use klamm_core::api::APIS;
use klamm_core::rng::Rng;
use klamm_core::time::Millis;

use crate::node::Node;
use crate::recorded::{exchanges, node, topics};

/// Inputs for one pair of brokers: their logs grow.
const INPUTS_PER_BROKER: usize = 256;

/// How long answers are waited for; a long poll may ask for any time.
const LONG_POLL: Millis = Millis(1_000);

/// Two brokers in the same state: one gets each input whole, the other byte by byte.
#[derive(Debug)]
pub struct FrameFuzz {
    whole: Node,
    in_bytes: Node,
    inputs: usize,
}

impl Default for FrameFuzz {
    fn default() -> Self {
        Self { whole: node(&topics()), in_bytes: node(&topics()), inputs: 0 }
    }
}

impl FrameFuzz {
    /// Sends `data` as all that a peer ever sends; says whether anything was answered.
    ///
    /// # Panics
    /// When a rule is broken.
    pub fn run(&mut self, data: &[u8]) -> bool {
        if self.inputs == INPUTS_PER_BROKER {
            *self = Self::default();
        }
        self.inputs += 1;
        let whole = converse(&mut self.whole, [data]);
        let in_bytes = converse(&mut self.in_bytes, data.chunks(1));
        assert_eq!(whole, in_bytes, "pieces make a difference");
        !whole.0.is_empty()
    }
}

/// What came back, and what the connection was closed for.
fn converse<'a>(
    node: &mut Node,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<u8>, Option<String>) {
    let mut client = node.connect();
    let mut answers = Vec::new();
    for piece in pieces {
        answers.extend(client.send(node, piece));
    }
    answers.extend(client.end(node));
    answers.extend(client.wait(node, LONG_POLL));
    assert!(client.is_closed() || client.is_waiting(), "nothing is left to wait for");
    let error = client.error().map(ToString::to_string);
    client.close(node);
    (answers, error)
}

/// Inputs: recorded requests, whole, damaged and mixed, and frames of noise behind good headers.
#[derive(Debug)]
pub struct FrameSource {
    seeds: Vec<Vec<u8>>,
    rng: Rng,
}

impl FrameSource {
    /// Draws from `seed`.
    pub fn new(seed: [u8; 32]) -> Self {
        let seeds = exchanges().map(|exchange| exchange.request).collect();
        Self { seeds, rng: Rng::from_seed(seed) }
    }

    /// One to three frames.
    pub fn input(&mut self) -> Vec<u8> {
        let mut input = Vec::new();
        for _ in 0..=self.below(3) {
            let frame = if self.below(8) == 0 { self.noise() } else { self.damaged() };
            input.extend(frame);
        }
        input
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    fn noise(&mut self) -> Vec<u8> {
        let api = &APIS[self.below(APIS.len())];
        let mut frame = vec![0; 4];
        frame.extend(api.key.0.to_be_bytes());
        frame.extend((self.below(20) as i16 - 1).to_be_bytes());
        frame.extend([0, 0, 0, 7, 0xff, 0xff]);
        // Small numbers read as lengths and counts more often than noise does.
        let is_small = self.below(2) == 0;
        for _ in 0..self.below(64) {
            frame.push(self.below(if is_small { 4 } else { 256 }) as u8);
        }
        resize(&mut frame);
        frame
    }

    fn damaged(&mut self) -> Vec<u8> {
        let mut frame = self.seed();
        for _ in 0..self.below(4) {
            self.damage(&mut frame);
        }
        // A wrong size ends the connection, so it may not be the rule.
        if self.below(16) != 0 {
            resize(&mut frame);
        }
        frame
    }

    fn seed(&mut self) -> Vec<u8> {
        let at = self.below(self.seeds.len());
        self.seeds[at].clone()
    }

    fn damage(&mut self, frame: &mut Vec<u8>) {
        let at = self.below(frame.len() + 1);
        match self.below(6) {
            0 => frame.truncate(at),
            1 => {
                let noise = self.rng.next_u64().to_be_bytes();
                let length = self.below(noise.len());
                frame.splice(at..at, noise[..length].iter().copied());
            }
            2 => {
                let other = self.seed();
                let from = self.below(other.len());
                frame.truncate(at);
                frame.extend_from_slice(&other[from..]);
            }
            3 => {
                let numbers = [-1, -2, 0, 1, 1_000, i32::MAX, i32::MIN];
                let number = numbers[self.below(numbers.len())].to_be_bytes();
                for (byte, new) in frame.iter_mut().skip(at).zip(number) {
                    *byte = new;
                }
            }
            4 => {
                let end = at + self.below(frame.len() - at + 1);
                let again = frame[at..end].to_vec();
                frame.splice(at..at, again);
            }
            _ => {
                if let Some(byte) = frame.get_mut(at) {
                    *byte ^= 1 << self.rng.below(8);
                }
            }
        }
    }
}

/// Makes the size prefix that of the bytes behind it.
fn resize(frame: &mut Vec<u8>) {
    frame.resize(frame.len().max(4), 0);
    let size = (frame.len() - 4) as i32;
    frame[..4].copy_from_slice(&size.to_be_bytes());
}
