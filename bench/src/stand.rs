//! Who is compared, running and with clients connected.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use klamm_core::config::Durability;

use crate::arguments::{Plan, durability_name};
use crate::bare::Sync;
use crate::batches::TOPIC;
use crate::figures::Figures;
use crate::kept::Kept;
use crate::nodes;
use crate::page_cache;
use crate::process::{Served, client_cpu};
use crate::producers::Lanes;
use crate::programs::Tools;
use crate::session::{self, Answers, Bounds, Session};
use crate::syscalls;
use crate::workloads::{Clients, FILLERS, Place, Until, Workload};

/// What is compared.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// Writes what comes.
    Write(Sync),
    /// Sends what lies in files.
    Send,
    Broker(nodes::Subject<'a>, Durability),
}

/// What everybody finds.
pub(crate) struct Grounds<'g, 'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) tools: &'g Tools,
    pub(crate) kafkas: &'g mut Kept,
    /// Where log directories are made.
    pub(crate) directory: &'g Path,
}

/// Starts the bare loops, and the brokers that the plan names, until all are warm.
pub(crate) fn start_all<'a>(
    workload: &Workload,
    grounds: &mut Grounds<'_, 'a>,
) -> Result<Vec<Stand<'a>>, String> {
    let mut stands = Vec::new();
    for subject in brokers(workload, grounds.plan) {
        stands.push(Stand::start(subject, workload, grounds, None)?);
    }
    // A bare loop sends what a broker has written.
    let files = stands.first().map(|stand| stand.logs.join(format!("{TOPIC}-0")));
    for subject in bare_loops(workload) {
        stands.insert(0, Stand::start(subject, workload, grounds, files.as_deref())?);
    }
    Ok(stands)
}

fn brokers<'a>(workload: &Workload, plan: &'a Plan) -> Vec<Subject<'a>> {
    let of = |broker| workload.durabilities.iter().map(move |kind| Subject::Broker(broker, *kind));
    nodes::Subject::all(plan).into_iter().flat_map(of).collect()
}

/// What does the same input and output.
fn bare_loops(workload: &Workload) -> Vec<Subject<'static>> {
    match workload.clients {
        Clients::Produce(_) => {
            vec![Subject::Write(Sync::BeforeAnswer), Subject::Write(Sync::Never)]
        }
        // The bare loop answers, and sends nothing to readers.
        Clients::Pace { until: Until::Acknowledged, .. } => {
            vec![Subject::Write(Sync::BeforeAnswer), Subject::Write(Sync::Never)]
        }
        Clients::Fetch { .. } => vec![Subject::Send],
        _ => Vec::new(),
    }
}

/// A subject that runs, with the clients that are connected to it.
pub(crate) struct Stand<'a> {
    pub(crate) subject: Subject<'a>,
    served: Rc<Served>,
    session: Box<dyn Session>,
    /// Where its files lie: in the directories below, or here.
    logs: PathBuf,
    /// Of records that were answered.
    stored: usize,
}

impl<'a> Stand<'a> {
    /// Starts it, connects its clients, and puts it under load until it is warm. `files` are those that a
    /// bare loop sends.
    fn start(
        subject: Subject<'a>,
        workload: &Workload,
        grounds: &mut Grounds<'_, 'a>,
        files: Option<&Path>,
    ) -> Result<Self, String> {
        let (served, logs) = subject.start(workload, grounds, files)?;
        let effort = &grounds.plan.effort;
        let mut stored = 0;
        let mut end_offset = i64::MAX;
        if workload.clients.need_records() && subject.answers() == Answers::Broker {
            let mut fillers = Lanes::connect(served.port, &FILLERS, Answers::Broker)?;
            stored = fillers.run(effort.fill())?.stored;
            end_offset = fillers.end_offset();
        }
        let (clients, port) = (&workload.clients, served.port);
        let (answers, tools) = (subject.answers(), grounds.tools);
        let session = session::open(clients, port, answers, end_offset, tools, effort.groups)?;
        let mut stand = Self { subject, served, session, logs, stored };
        stand.take(workload.clients.place(), effort.warm_up())?;
        Ok(stand)
    }

    pub(crate) fn take(&mut self, place: Place, bounds: Bounds) -> Result<Figures, String> {
        match place {
            Place::Disk => page_cache::forget(&self.logs)?,
            Place::Memory => page_cache::remember(&self.logs)?,
            Place::Nowhere => page_cache::discard(&self.logs)?,
        }
        self.served.forget_peak()?;
        let before = (self.served.usage()?, client_cpu()?);
        let done = self.session.run(bounds);
        let done = done.map_err(|error| format!("{}: {error}", self.subject.name()))?;
        let used = self.served.usage()?.since(&before.0);
        let client_cpu = client_cpu()?.saturating_sub(before.1);
        self.stored += done.stored;
        Ok(Figures::new(&done, &used, client_cpu))
    }

    /// The same, with its system calls.
    pub(crate) fn take_counted(&mut self, place: Place, bounds: Bounds) -> Result<Figures, String> {
        let count = syscalls::Count::begin(self.served.id());
        let figures = self.take(place, bounds)?;
        Ok(figures.with_syscalls(count.and_then(syscalls::Count::end)))
    }

    /// Everything that was answered must have come to its files.
    pub(crate) fn finish(self) -> Result<(), String> {
        drop(self.session);
        // A Kafka stays.
        if let Some(served) = Rc::into_inner(self.served) {
            served.stop()?;
        }
        let stored = page_cache::stored(&self.logs)?;
        if stored < self.stored as u64 {
            let (name, least) = (self.subject.name(), self.stored);
            return Err(format!("{name}: {stored} of {least} bytes are stored"));
        }
        Ok(())
    }
}

impl<'a> Subject<'a> {
    /// With the place of its files.
    fn start(
        self,
        workload: &Workload,
        grounds: &mut Grounds<'_, 'a>,
        files: Option<&Path>,
    ) -> Result<(Rc<Served>, PathBuf), String> {
        let directory = grounds.directory.join(self.name());
        let partitions = workload.clients.partitions() as i32;
        let settings = workload.settings;
        match self {
            Self::Write(sync) => {
                fs::create_dir(&directory).map_err(|error| error.to_string())?;
                let arguments = ["bare".into(), sync.name().into(), (&directory).into()];
                Ok((Rc::new(Served::start(&arguments)?), directory))
            }
            Self::Send => {
                let files = files.ok_or("nobody has written files to send")?;
                let served = Served::start(&["send".into(), files.into()])?;
                Ok((Rc::new(served), files.to_owned()))
            }
            Self::Broker(nodes::Subject::Kafka(jars), durability) => {
                grounds.kafkas.serve(jars, durability, settings, partitions)
            }
            Self::Broker(broker, durability) => {
                let (node, served) = broker.serve(&directory, partitions, durability, settings)?;
                Ok((Rc::new(served), node.logs()))
            }
        }
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::Write(sync) => format!("bare {}", sync.name()),
            Self::Send => "bare sendfile".to_owned(),
            Self::Broker(broker, durability) => {
                format!("{} {}", broker.name(), durability_name(durability))
            }
        }
    }

    /// It is the Kafka that `other` is to be compared with.
    pub(crate) fn is_kafka_for(self, other: Self) -> bool {
        match (self, other) {
            (Self::Broker(kafka, durability), Self::Broker(_, wanted)) => {
                kafka.is_kafka() && durability == wanted
            }
            _ => false,
        }
    }

    /// It is the bare loop that `other` is to be compared with.
    pub(crate) fn is_bare_for(self, other: Self) -> bool {
        match (self, other) {
            (Self::Write(sync), Self::Broker(_, durability)) => {
                (sync == Sync::BeforeAnswer) == (durability == Durability::Durable)
            }
            (Self::Write(sync), Self::Write(other)) => sync == other,
            (Self::Send, _) => true,
            _ => false,
        }
    }

    fn answers(self) -> Answers {
        match self {
            Self::Write(_) | Self::Send => Answers::Bare,
            Self::Broker(..) => Answers::Broker,
        }
    }
}
