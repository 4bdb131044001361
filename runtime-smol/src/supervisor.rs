//! Who accepts connections, and sees to it that everything ends.

use std::future::poll_fn;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, mpsc};
use std::task::Poll;

use async_io::Async;
use klamm_core::{Exit, Peer};
use klamm_runtime::{
    Admission, Lifecycle, Machine, Node, Observer, Panic, PanicAlarm, Stage, Supervised, Wake,
};
use smol::future::FutureExt;

use crate::alarm::Alarm;
use crate::bell::Bell;
use crate::connection::serve;
use crate::pool::Pool;

/// Serves until the node has stopped, then ends every task and thread.
pub(crate) async fn supervise<M: Machine>(
    mut supervised: Supervised<M>,
    bell: Bell,
    pool: Pool,
) -> Exit {
    let mut tasks = Tasks::new(&supervised, bell.clone(), pool);
    let mut alarm = Alarm::default();
    let mut listeners = Vec::new();
    for bound in supervised.listeners.drain(..) {
        match Async::new_nonblocking(bound.listener) {
            Ok(listener) => listeners.push((bound.name, listener)),
            Err(error) => {
                let reason = format!("listener {}: {error}", bound.name);
                supervised.lifecycle.stopped(Exit::Failed(reason));
            }
        }
    }
    let exit = loop {
        tasks.take_ended(&mut supervised);
        let admission = match supervised.lifecycle.stage() {
            Stage::Starting => Admission::Full,
            Stage::Ready => supervised.acceptor.admission(tasks.open),
            Stage::Stopping => {
                listeners.clear();
                Admission::Full
            }
            Stage::Stopped(exit) => break exit,
        };
        if let Admission::PausedUntil(until) = admission {
            alarm.set(Some(until), supervised.node.now());
        }
        let watched = if admission == Admission::Open { &*listeners } else { &[] };
        for index in wait(&bell, &mut alarm, watched).await {
            let (name, listener) = &listeners[index];
            supervised.acceptor.accept(name, listener.get_ref(), tasks.open, |stream, peer| {
                tasks.spawn(stream, peer)
            });
        }
    };
    drop(listeners);
    supervised.node.stop_connections();
    while tasks.open > 0 {
        poll_fn(|context| bell.poll(context)).await;
        tasks.take_ended(&mut supervised);
    }
    supervised.ended(tasks.pool.end());
    supervised.end(exit)
}

/// Waits for the bell, the alarm or a listener; gives the places of those that have something.
async fn wait(
    bell: &Bell,
    alarm: &mut Alarm,
    listeners: &[(Arc<str>, Async<TcpListener>)],
) -> Vec<usize> {
    poll_fn(|context| {
        let woken = bell.poll(context).is_ready() | alarm.poll(context).is_ready();
        let mut found = Vec::new();
        for (index, (_, listener)) in listeners.iter().enumerate() {
            if listener.poll_readable(context).is_ready() {
                found.push(index);
            }
        }
        if woken || !found.is_empty() { Poll::Ready(found) } else { Poll::Pending }
    })
    .await
}

/// The tasks of the connections.
struct Tasks<M> {
    node: Arc<Node<M>>,
    lifecycle: Arc<Lifecycle>,
    supervisor: Bell,
    pool: Pool,
    open: usize,
    /// They tell their ends here.
    ended: (mpsc::Sender<Ended>, mpsc::Receiver<Ended>),
}

/// How a task has ended.
type Ended = Result<(), Panic>;

impl<M: Machine> Tasks<M> {
    fn new(supervised: &Supervised<M>, supervisor: Bell, pool: Pool) -> Self {
        Self {
            node: Arc::clone(&supervised.node),
            lifecycle: Arc::clone(&supervised.lifecycle),
            supervisor,
            pool,
            open: 0,
            ended: mpsc::channel(),
        }
    }

    fn spawn(&mut self, stream: TcpStream, peer: Peer) -> io::Result<()> {
        let stream = Async::new_nonblocking(stream)?;
        let (node, lifecycle) = (Arc::clone(&self.node), Arc::clone(&self.lifecycle));
        let (ended, supervisor) = (self.ended.0.clone(), self.supervisor.clone());
        let life = async move {
            let _alarm = PanicAlarm::new(lifecycle);
            serve(node, stream, peer).await;
        };
        let task = async move {
            let result = AssertUnwindSafe(life).catch_unwind().await;
            ended.send(result).expect("the supervisor waits for all tasks");
            supervisor.wake();
        };
        self.pool.executor.spawn(task).detach();
        self.open += 1;
        Ok(())
    }

    fn take_ended(&mut self, supervised: &mut Supervised<M>) {
        while let Ok(result) = self.ended.1.try_recv() {
            self.open -= 1;
            supervised.ended(result);
        }
    }
}
