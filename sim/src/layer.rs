//! Where a run may lie to the machine or about it: what passes between machine and world goes
//! through a layer, which may drop, delay or alter it. The honest one does nothing.

use std::fmt::Debug;

use klamm_core::effect::{Completion, Effect};
use klamm_core::ids::{ConnectionId, EffectId};
use klamm_core::request::{Request, Response};

/// What becomes of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carry {
    /// It is carried out, and then its completion is handed in.
    Honestly,
    /// Its success is told at once; it is carried out so many microseconds later.
    Late(u64),
    /// Its success is told, and it is never carried out.
    Never,
}

/// Stands between the machine and the world. Each default lets everything pass.
pub trait Layer: Debug {
    /// The broker or a job has emitted an effect.
    fn effect(&mut self, id: EffectId, effect: &mut Effect) -> Carry {
        let _ = (id, effect);
        Carry::Honestly
    }

    /// An effect that was carried out is about to be told.
    fn completion(&mut self, id: EffectId, effect: &Effect, completion: &mut Completion) {
        let _ = (id, effect, completion);
    }

    /// A request is about to be handed to the broker; gives an answer in its place, which leaves at
    /// once.
    fn request(&mut self, from: ConnectionId, request: &mut Request) -> Option<Response> {
        self.alter_request(from, request);
        None
    }

    /// The same, where the broker answers.
    fn alter_request(&mut self, from: ConnectionId, request: &mut Request) {
        let _ = (from, request);
    }

    /// The broker has answered; gives what is delivered now.
    fn response(
        &mut self,
        to: ConnectionId,
        mut response: Response,
    ) -> Vec<(ConnectionId, Response)> {
        self.alter_response(to, &mut response);
        vec![(to, response)]
    }

    /// The same, where each answer is delivered at once.
    fn alter_response(&mut self, to: ConnectionId, response: &mut Response) {
        let _ = (to, response);
    }

    /// A connection is over; says whether the broker hears of it.
    fn end(&mut self, of: ConnectionId) -> bool {
        let _ = of;
        true
    }

    /// A connection gives bytes of the request budget back; gives how many of them are taken.
    fn discharge(&mut self, bytes: usize) -> usize {
        bytes
    }
}

/// Lets everything pass.
#[derive(Clone, Copy, Debug, Default)]
pub struct Honest;

impl Layer for Honest {}
