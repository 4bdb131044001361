//! Producers at full speed, and readers who follow them.

use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Instant;

use crate::producers::Lanes;
use crate::readers::Tail;
use crate::session::{Answers, Bounds, Done, Session};
use crate::workloads::Producers;

pub(crate) struct Following {
    lanes: Lanes,
    tails: Vec<Tail>,
}

impl Following {
    pub(crate) fn connect(
        port: u16,
        producers: &Producers,
        readers: usize,
    ) -> Result<Self, String> {
        let tails = (0..readers).map(|_| Tail::connect(port)).collect::<Result<_, _>>()?;
        Ok(Self { lanes: Lanes::connect(port, producers, Answers::Broker)?, tails })
    }
}

impl Session for Following {
    /// Ends when everybody has read all. Bytes are those of producers and readers together, latencies and
    /// requests those of producers.
    fn run(&mut self, bounds: Bounds) -> Result<Done, String> {
        let begun = Instant::now();
        // Not known before the last answer.
        let end_offset = AtomicI64::new(i64::MAX);
        let (lanes, tails) = (&mut self.lanes, &mut self.tails);
        thread::scope(|scope| {
            let end_offset = &end_offset;
            let reading: Vec<_> = tails
                .iter_mut()
                .map(|tail| scope.spawn(move || follow(tail, end_offset, begun)))
                .collect();
            let produced = lanes.run(bounds);
            end_offset.store(lanes.end_offset(), Ordering::Release);
            let read =
                reading.into_iter().map(|read| read.join().expect("a reader does not panic"));
            let read: Vec<_> = read.collect::<Result<_, _>>()?;
            let mut done = produced?;
            done.elapsed = begun
                .elapsed()
                .min(read.iter().map(|(_, last)| *last - begun).fold(done.elapsed, std::cmp::max));
            done.bytes += read.iter().map(|(bytes, _)| bytes).sum::<usize>();
            Ok(done)
        })
    }
}

/// Gives the bytes that were read, and when the last of them came.
fn follow(
    tail: &mut Tail,
    end_offset: &AtomicI64,
    begun: Instant,
) -> Result<(usize, Instant), String> {
    let (mut bytes, mut last) = (0, begun);
    while tail.offset < end_offset.load(Ordering::Acquire) {
        let came = tail.read()?;
        if came > 0 {
            bytes += came;
            last = Instant::now();
        }
    }
    Ok((bytes, last))
}
