//! The state machines alone: frames in memory in, answers in memory out. Every effect is complete as
//! soon as it is asked for, and nothing is carried out.

use std::collections::VecDeque;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use klamm_core::batch::Compression;
use klamm_core::config::{self, Config, Durability};
use klamm_core::effect::{Completion, Effect, OperationResult};
use klamm_core::ids::{ConnectionId, EffectId};
use klamm_core::request::{Request, Response};
use klamm_core::time::{Instant as Mono, Now};
use klamm_core::{Broker, Chunk, Connection, Job, JobResult, Output, Peer};
use klamm_runtime::compression::Codecs;
use klamm_runtime::{Disk, Files};

use crate::Allocations;
use crate::arguments::{Plan, durability_name};
use crate::report::{Cell, Table};
use crate::workload::{Batch, make_directory, now_ms, number};

/// Requests that are under way together; one round of the clock is read for all of them.
const PIPELINE: usize = 16;

const PARTITIONS: i32 = 10;

/// What a request holds.
struct Shape {
    name: &'static str,
    value_bytes: usize,
    batch_bytes: usize,
    partitions: i32,
}

const SHAPES: &[Shape] = &[
    Shape { name: "63 x 1 KiB", value_bytes: 1024, batch_bytes: 64 << 10, partitions: 1 },
    Shape { name: "600 x 100 B", value_bytes: 100, batch_bytes: 64 << 10, partitions: 1 },
    Shape { name: "1 x 100 B", value_bytes: 100, batch_bytes: 0, partitions: 1 },
    Shape { name: "1 x 100 B to 10", value_bytes: 100, batch_bytes: 0, partitions: PARTITIONS },
];

const COLUMNS: &[&str] = &[
    "a request's records",
    "durability",
    "requests/s",
    "MB/s",
    "connection ns",
    "broker ns",
    "connection allocations",
    "broker allocations",
];

/// What a part of the work has cost.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    time: Duration,
    allocations: u64,
}

/// One figure's work.
#[derive(Clone, Copy, Debug, Default)]
struct Costs {
    requests: usize,
    connection: Cost,
    broker: Cost,
}

/// Measures Produce through both machines.
pub(crate) fn measure(
    plan: &Plan,
    scratch: &Path,
    allocations: Allocations,
) -> Result<Table, String> {
    let about = format!(
        "one thread, {PIPELINE} requests under way, {} ms a figure, {} rounds; per request; under \
         the lock is the broker's part alone",
        plan.effort.spin_ms, plan.effort.rounds,
    );
    let mut table = Table::new("core", about, COLUMNS);
    let cases: Vec<(&Shape, Durability)> = SHAPES
        .iter()
        .flat_map(|shape| {
            [Durability::Durable, Durability::PageCache].map(|durability| (shape, durability))
        })
        .collect();
    let mut rounds: Vec<Vec<Costs>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..plan.effort.rounds {
        for ((shape, durability), costs) in cases.iter().zip(&mut rounds) {
            let directory = scratch.join("core");
            make_directory(&directory, PARTITIONS)?;
            let mut stand = Stand::start(&directory, *durability, allocations)?;
            std::fs::remove_dir_all(&directory).map_err(|error| error.to_string())?;
            costs.push(stand.spin(shape, Duration::from_millis(plan.effort.spin_ms))?);
        }
    }
    for ((shape, durability), costs) in cases.iter().zip(&rounds) {
        table.push(row(shape, *durability, costs));
    }
    Ok(table)
}

fn row(shape: &Shape, durability: Durability, rounds: &[Costs]) -> Vec<Cell> {
    let bytes = Batch::new(shape.value_bytes, shape.batch_bytes).bytes.len() as f64
        * f64::from(shape.partitions);
    let rate = |costs: &Costs| {
        costs.requests as f64 / (costs.connection.time + costs.broker.time).as_secs_f64()
    };
    let each = |figure: fn(&Costs) -> f64| {
        Cell::rounds(rounds.iter().map(|costs| figure(costs) / costs.requests as f64))
    };
    vec![
        Cell::name(shape.name),
        Cell::name(durability_name(durability)),
        Cell::rounds(rounds.iter().map(rate)),
        Cell::rounds(rounds.iter().map(|costs| rate(costs) * bytes / 1e6)),
        each(|costs| costs.connection.time.as_nanos() as f64),
        each(|costs| costs.broker.time.as_nanos() as f64),
        each(|costs| costs.connection.allocations as f64),
        each(|costs| costs.broker.allocations as f64),
    ]
}

/// A broker and one connection, on one thread.
struct Stand {
    broker: Broker,
    connection: Connection,
    now: Now,
    allocations: Allocations,
    outputs: VecDeque<Output>,
}

impl Stand {
    /// Starts a broker on a real directory; no file is touched any more from then on.
    fn start(
        directory: &Path,
        durability: Durability,
        allocations: Allocations,
    ) -> Result<Self, String> {
        let config = configuration(directory, durability)?;
        let compression: Arc<dyn Compression> = Arc::new(Codecs::new(&config.limits));
        let for_jobs = Arc::clone(&compression);
        let connection = Connection::new(ConnectionId(1), config.limits.clone(), compression);
        let files = Files::new(config.limits.open_files_max);
        let listener = Arc::from(&*config.listeners[0].name);
        let now = Now { mono: Mono::ZERO, wall_ms: now_ms() };
        let broker = Broker::new(config, [7; 32], for_jobs, now);
        let mut stand = Self { broker, connection, now, allocations, outputs: VecDeque::new() };
        stand.drain();
        while let Some(output) = stand.outputs.pop_front() {
            match output {
                Output::Ready => {
                    let peer = Peer { listener, address: "127.0.0.1:50000".to_owned() };
                    stand.broker.handle_connect(ConnectionId(1), peer, now);
                    stand.drain();
                    return Ok(stand);
                }
                Output::Effect(id, effect) => {
                    let completion = carry_out(&files, effect);
                    stand.broker.handle_completion(id, completion, now);
                }
                Output::Job(id, job) => {
                    let result = finish(&files, job);
                    stand.broker.handle_job(id, result, now);
                }
                Output::Stopped(exit) => return Err(format!("no broker: {exit:?}")),
                Output::Response(..) | Output::Close(_) | Output::Event(_) => {}
            }
            stand.drain();
        }
        Err("the broker waits for something that was not asked for".into())
    }

    fn drain(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            self.outputs.push_back(output);
        }
    }

    /// Sends requests of one shape for this long.
    fn spin(&mut self, shape: &Shape, time: Duration) -> Result<Costs, String> {
        let mut frame = Batch::new(shape.value_bytes, shape.batch_bytes).frame(0..shape.partitions);
        let mut costs = Costs::default();
        self.round(&mut frame, &mut Costs::default())?;
        let begun = Instant::now();
        // At least once, however busy the machine is.
        loop {
            self.round(&mut frame, &mut costs)?;
            if begun.elapsed() >= time {
                return Ok(costs);
            }
        }
    }

    /// A pipeline of requests from their frames to their answers.
    fn round(&mut self, frame: &mut BytesMut, costs: &mut Costs) -> Result<(), String> {
        let mut input = BytesMut::with_capacity(frame.len() * PIPELINE);
        for at in 0..PIPELINE {
            number(frame, at as i32);
            input.extend_from_slice(frame);
        }
        let meter = Meter(self.allocations);
        let requests = meter.run(&mut costs.connection, || self.read(&mut input))?;
        meter.run(&mut costs.broker, || self.hand_on(requests));
        let mut responses = Vec::with_capacity(PIPELINE);
        loop {
            let completions = self.complete(&mut responses);
            if completions.is_empty() {
                break;
            }
            meter.run(&mut costs.broker, || self.tell(completions));
        }
        let answered = responses.len();
        let bytes = meter.run(&mut costs.connection, || self.answer(responses));
        // The answer to ten partitions is longer; none is shorter than this.
        if answered != PIPELINE || bytes < PIPELINE * 30 {
            return Err(format!("{answered} answers in {bytes} bytes to {PIPELINE} requests"));
        }
        costs.requests += PIPELINE;
        Ok(())
    }

    fn read(&mut self, input: &mut BytesMut) -> Result<Vec<Request>, String> {
        let mut requests = Vec::with_capacity(PIPELINE);
        let image = Arc::clone(self.broker.image());
        loop {
            self.connection.handle_bytes(input, self.now).map_err(|error| error.to_string())?;
            if self.connection.wants_charge() > 0 {
                self.connection.handle_charged();
                continue;
            }
            match self.connection.poll_request(&image, self.now) {
                Some(request) => requests.push(request.map_err(|error| error.to_string())?),
                None => return Ok(requests),
            }
        }
    }

    fn hand_on(&mut self, requests: Vec<Request>) {
        for request in requests {
            self.broker.handle_request(ConnectionId(1), request, self.now);
            self.drain();
        }
    }

    /// What completes the effects that are out; responses are put aside.
    fn complete(&mut self, responses: &mut Vec<Response>) -> Vec<(EffectId, Completion)> {
        let mut completions = Vec::new();
        for output in mem::take(&mut self.outputs) {
            match output {
                Output::Effect(id, Effect::Operations(operations)) => {
                    let results = vec![OperationResult::Done; operations.len()];
                    completions.push((id, Completion::Done(results)));
                }
                Output::Effect(id, Effect::Sync(_)) => {
                    completions.push((id, Completion::Done(Vec::new())));
                }
                Output::Response(_, response) => responses.push(response),
                _ => {}
            }
        }
        completions
    }

    fn tell(&mut self, completions: Vec<(EffectId, Completion)>) {
        for (id, completion) in completions {
            self.broker.handle_completion(id, completion, self.now);
            self.drain();
        }
    }

    /// Gives the length of what is sent.
    fn answer(&mut self, responses: Vec<Response>) -> usize {
        for response in responses {
            self.connection.handle_response(response);
        }
        let mut bytes = 0;
        while let Some(chunk) = self.connection.poll_transmit() {
            if let Chunk::Bytes(sent) = chunk {
                bytes += sent.len();
            }
            self.connection.handle_transmitted(1);
        }
        let _charge = self.connection.poll_discharge();
        bytes
    }
}

fn configuration(directory: &Path, durability: Durability) -> Result<Config, String> {
    let directory = directory.to_str().ok_or("the directory's name is no text")?;
    let settings = [("log.dirs", directory), ("klamm.durability", durability_name(durability))];
    Ok(config::parse(settings).map_err(|error| error.to_string())?.config)
}

/// Adds up what a part of the work costs.
struct Meter(Allocations);

impl Meter {
    fn run<T>(&self, cost: &mut Cost, work: impl FnOnce() -> T) -> T {
        let allocations = (self.0)();
        let begun = Instant::now();
        let result = work();
        cost.time += begun.elapsed();
        cost.allocations += (self.0)() - allocations;
        result
    }
}

fn finish(files: &Files, mut job: Job) -> JobResult {
    loop {
        while let Some((id, effect)) = job.poll_effect() {
            job.handle_completion(id, carry_out(files, effect));
        }
        if let Some(result) = job.poll_done() {
            return result;
        }
    }
}

/// Nothing is kept for long here, so nothing is synced.
fn carry_out(files: &Files, effect: Effect) -> Completion {
    let Effect::Operations(operations) = effect else { return Completion::Done(Vec::new()) };
    let mut done = Vec::new();
    for operation in operations {
        match files.perform(&operation) {
            Ok(result) => done.push(result),
            Err(error) => return Completion::Failed { done, error },
        }
    }
    Completion::Done(done)
}
