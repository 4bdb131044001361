//! DeleteTopics: by name, or since version 6 by id (`ControllerApis.deleteTopics`).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::create::check_size;
use crate::api::delete_topics::{DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse};
use crate::broker::Broker;
use crate::broker::metadata_log::{AskedChange, Draft, Planned, Records};
use crate::broker::occurrences::occurrences;
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber, Uuid};
use crate::records::RemoveTopicRecord;
use crate::refusal::Refusal;
use crate::request::{Response, ResponseBody};
use crate::time::Instant;

/// A DeleteTopics request that waits for its turn.
#[derive(Debug)]
pub(in crate::broker) struct DeleteTopics {
    asked: Vec<Asked>,
    deadline: Instant,
}

/// A topic as a client names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Name(String),
    Id(Uuid),
    Both(String, Uuid),
    Neither,
}

impl Broker {
    pub(in crate::broker) fn handle_delete_topics(
        &mut self,
        from: ConnectionId,
        number: RequestNumber,
        version: i16,
        request: DeleteTopicsRequest,
    ) {
        let names = request.topic_names.into_iter().map(Asked::Name);
        let topics = request.topics.into_iter().map(|topic| match (topic.name, topic.topic_id) {
            (Some(name), Uuid::ZERO) => Asked::Name(name),
            (Some(name), id) => Asked::Both(name, id),
            (None, Uuid::ZERO) => Asked::Neither,
            (None, id) => Asked::Id(id),
        });
        let asked: Vec<Asked> = names.chain(topics).collect();
        if !self.config.creation.may_delete {
            let body = refuse_all(&asked, disabled(version));
            return self.respond(from, Response { number, body });
        }
        let Some(deadline) = self.change_deadline(request.timeout_ms) else {
            let body = refuse_all(&asked, ErrorCode::REQUEST_TIMED_OUT);
            return self.respond(from, Response { number, body });
        };
        let what = AskedChange::DeleteTopics(DeleteTopics { asked, deadline });
        self.ask_for_change(from, number, what);
    }

    pub(in crate::broker) fn plan_delete_topics(
        &self,
        DeleteTopics { asked, deadline }: DeleteTopics,
        draft: &Draft,
    ) -> Planned {
        if deadline < self.now.mono {
            return Planned::nothing(refuse_all(&asked, ErrorCode::REQUEST_TIMED_OUT));
        }
        let times = Times::of(&asked);
        let mut records = Records::new();
        let mut responses = Vec::with_capacity(asked.len());
        let mut told = BTreeSet::new();
        for topic in &asked {
            match times.judge(topic, draft) {
                Verdict::Delete(name, id) => {
                    records.push((RemoveTopicRecord { topic_id: id }.into(), 0));
                    responses.push(DeletableTopicResult { name: Some(name), ..named(id) });
                }
                Verdict::Refuse(result) => responses.push(result),
                Verdict::RefuseOnce(result) if told.insert(topic) => responses.push(result),
                Verdict::RefuseOnce(_) | Verdict::ToldByName => {}
            }
        }
        if let Err(refusal) = check_size(&records) {
            return Planned::nothing(refuse_all(&asked, refusal.error));
        }
        let answer = DeleteTopicsResponse { throttle_time_ms: 0, responses };
        Planned { records, answer: ResponseBody::DeleteTopics(answer) }
    }
}

/// What becomes of a topic that a client names.
enum Verdict {
    Delete(String, Uuid),
    Refuse(DeletableTopicResult),
    /// For all of its occurrences.
    RefuseOnce(DeletableTopicResult),
    /// The request has its name too, and the answer stands there.
    ToldByName,
}

/// How often a request has each name and each id.
struct Times<'a> {
    names: BTreeMap<&'a str, usize>,
    ids: BTreeMap<Uuid, usize>,
}

impl<'a> Times<'a> {
    fn of(asked: &'a [Asked]) -> Self {
        let name = |topic: &'a Asked| match topic {
            Asked::Name(name) => Some(name.as_str()),
            _ => None,
        };
        let id = |topic: &Asked| match topic {
            Asked::Id(id) => Some(*id),
            _ => None,
        };
        let names = occurrences(asked.iter().filter_map(name));
        Self { names, ids: occurrences(asked.iter().filter_map(id)) }
    }

    fn judge(&self, topic: &Asked, draft: &Draft) -> Verdict {
        let invalid = |message| Refusal::new(ErrorCode::INVALID_REQUEST, message);
        let refused = |refusal| refused(topic, refusal);
        match topic {
            Asked::Both(..) => Verdict::Refuse(refused(invalid(
                "You may not specify both topic name and topic id.",
            ))),
            Asked::Neither => {
                Verdict::Refuse(refused(invalid("Neither topic name nor id were specified.")))
            }
            Asked::Name(name) if self.names.get(name.as_str()) != Some(&1) => {
                Verdict::RefuseOnce(refused(Refusal::duplicate_name()))
            }
            Asked::Id(id) if self.ids.get(id) != Some(&1) => {
                Verdict::RefuseOnce(refused(invalid("Duplicate topic id.")))
            }
            Asked::Name(name) => match draft.topic(name).map(|topic| topic.id) {
                None => Verdict::Refuse(refused(Refusal::unknown_name())),
                Some(id) if self.ids.contains_key(&id) => {
                    let message =
                        "The provided topic name maps to an ID that was already supplied.";
                    let result = refused(invalid(message));
                    Verdict::Refuse(DeletableTopicResult { topic_id: id, ..result })
                }
                Some(id) => Verdict::Delete(name.clone(), id),
            },
            Asked::Id(id) => match draft.image().topics_by_id.get(id) {
                None => Verdict::Refuse(refused(Refusal::new(
                    ErrorCode::UNKNOWN_TOPIC_ID,
                    "This server does not host this topic ID.",
                ))),
                Some(topic) if self.names.get(&*topic.name) == Some(&1) => Verdict::ToldByName,
                Some(topic) => Verdict::Delete(topic.name.to_string(), *id),
            },
        }
    }
}

fn named(topic_id: Uuid) -> DeletableTopicResult {
    DeletableTopicResult { name: None, topic_id, error_code: ErrorCode::NONE, error_message: None }
}

fn refused(topic: &Asked, Refusal { error, message }: Refusal) -> DeletableTopicResult {
    let (name, id) = match topic {
        Asked::Name(name) => (Some(name), Uuid::ZERO),
        Asked::Id(id) => (None, *id),
        Asked::Both(name, id) => (Some(name), *id),
        Asked::Neither => (None, Uuid::ZERO),
    };
    let name = name.cloned();
    DeletableTopicResult { name, error_code: error, error_message: message, ..named(id) }
}

/// `delete.topic.enable=false` (`ControllerApis.deleteTopics`).
fn disabled(version: i16) -> ErrorCode {
    match version {
        ..3 => ErrorCode::INVALID_REQUEST,
        3.. => ErrorCode::TOPIC_DELETION_DISABLED,
    }
}

/// Without words (`DeleteTopicsRequest.getErrorResponse`).
fn refuse_all(asked: &[Asked], error: ErrorCode) -> ResponseBody {
    let refusal = Refusal::mute(error);
    let responses = asked.iter().map(|topic| refused(topic, refusal.clone())).collect();
    ResponseBody::DeleteTopics(DeleteTopicsResponse { throttle_time_ms: 0, responses })
}
