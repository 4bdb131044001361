//! One start of the broker on a disk, to see what it makes of it: every step at once, one after
//! another.

use std::collections::VecDeque;
use std::sync::Arc;

use klamm_core::broker::image::Image;
use klamm_core::config::Config;
use klamm_core::effect::{Completion, Effect};
use klamm_core::event::Event;
use klamm_core::ids::EffectId;
use klamm_core::time::{Instant, Now};
use klamm_core::{Broker, Job, Output};
use klamm_runtime::compression::Codecs;
use klamm_runtime::{Input, Machine};

use crate::decisions::Decisions;
use crate::disk::{Disk, Progress};

/// Starts a broker on `disk`, and leaves it when it is ready to serve. Gives what it would serve; the
/// error says what is not served, and why.
pub fn restart(
    disk: &mut Disk,
    config: &Config,
    wall_ms: i64,
    decisions: &mut Decisions,
) -> Result<Arc<Image>, String> {
    let now = Now { mono: Instant::ZERO, wall_ms };
    let broker = Broker::new(config.clone(), [7; 32], Arc::new(Codecs::default()), now);
    let mut start = Start { broker, disk, now, decisions, inputs: VecDeque::new() };
    start.run()
}

struct Start<'a> {
    broker: Broker,
    disk: &'a mut Disk,
    now: Now,
    decisions: &'a mut Decisions,
    inputs: VecDeque<Input>,
}

impl Start<'_> {
    fn run(&mut self) -> Result<Arc<Image>, String> {
        loop {
            while let Some(output) = self.broker.poll_output() {
                match output {
                    Output::Ready => return Ok(Arc::clone(self.broker.image())),
                    Output::Stopped(exit) => return Err(format!("the broker stops: {exit:?}")),
                    Output::Event(event) => refuse(&event)?,
                    Output::Effect(id, effect) => {
                        let completion = self.carry_out(id, effect);
                        self.inputs.push_back(Input::Completion(id, completion));
                    }
                    Output::Job(id, job) => {
                        let result = self.work(job);
                        self.inputs.push_back(Input::JobDone(id, result?));
                    }
                    Output::Response(..) | Output::Close(_) => {}
                }
            }
            let input = self.inputs.pop_front().ok_or("the start has come to a halt")?;
            self.broker.handle(input, self.now);
        }
    }

    fn work(&mut self, mut job: Job) -> Result<klamm_core::JobResult, String> {
        loop {
            if let Some(result) = job.poll_done() {
                return Ok(result);
            }
            let effects: Vec<_> = std::iter::from_fn(|| job.poll_effect()).collect();
            if effects.is_empty() {
                return Err("a job has come to a halt".to_owned());
            }
            for (id, effect) in effects {
                let completion = self.carry_out(id, effect);
                job.handle_completion(id, completion);
            }
        }
    }

    fn carry_out(&mut self, id: EffectId, effect: Effect) -> Completion {
        self.disk.submit(id, effect, self.decisions);
        loop {
            self.disk.start(id);
            let progress = self.disk.take_hold(id, self.now.wall_ms, self.decisions);
            if progress == Progress::Finished {
                return self.disk.complete(id);
            }
        }
    }
}

/// What is not served though no disk has failed.
fn refuse(event: &Event) -> Result<(), String> {
    match event {
        Event::PartitionOffline { .. }
        | Event::DirectoryOffline { .. }
        | Event::LogDamaged { .. } => Err(event.to_string()),
        _ => Ok(()),
    }
}
