//! From a response to a frame.

use super::outbox::Answer;
use super::produce::ProducePlan;
use super::{ConnectionError, pieces};
use crate::broker::image::Image;
use crate::codec::Message;
use crate::config::Limits;
use crate::error_code::ErrorCode;
use crate::frame::RequestHeader;
use crate::query::{
    api_versions, describe_cluster, describe_configs, describe_topic_partitions, elect_leaders,
    list_config_resources, list_partition_reassignments, metadata, security,
};
use crate::request::{Acks, Encode, Query, ResponseBody};

/// What a request's answer is encoded with.
#[derive(Debug)]
pub(super) struct Plan {
    /// Bytes of the budget that are held until the answer is there.
    charge: usize,
    header: RequestHeader,
    /// `None` for any other request.
    produce: Option<(ProducePlan, Acks)>,
}

impl Plan {
    /// Only batches outlive their request as slices of the frame, so only a Produce keeps its charge.
    pub(super) fn produce(
        header: RequestHeader,
        plan: ProducePlan,
        acks: Acks,
        charge: usize,
    ) -> Self {
        Self { charge, produce: Some((plan, acks)), ..Self::plain(header) }
    }

    pub(super) fn plain(header: RequestHeader) -> Self {
        // The answer does not repeat the client id.
        Self { charge: 0, header: RequestHeader { client_id: None, ..header }, produce: None }
    }

    /// Bytes of the budget that are held until the answer is there.
    pub(super) fn charge(&self) -> usize {
        self.charge
    }

    /// Bytes beside the frame that are held until the answer is there.
    pub(super) fn converted_bytes(&self) -> usize {
        self.produce.as_ref().map_or(0, |(plan, _)| plan.converted_bytes())
    }

    /// True when the connection will close instead of an answer, whatever the broker says.
    pub(super) fn will_close(&self) -> bool {
        matches!(&self.produce, Some((plan, Acks::None)) if plan.refusal().is_some())
    }

    /// Encodes the answer; what closes the connection is noted in `failure`.
    pub(super) fn encode(
        self,
        body: ResponseBody,
        limits: &Limits,
        failure: &mut Option<ConnectionError>,
    ) -> Answer {
        let Self { header, produce, .. } = self;
        match (produce, body) {
            (Some((plan, Acks::None)), ResponseBody::Produce(outcomes)) => {
                let error = plan.refusal().or_else(|| {
                    outcomes.iter().map(|outcome| outcome.error).find(|&e| e != ErrorCode::NONE)
                });
                let Some(error) = error else { return Answer::Nothing };
                *failure = Some(ConnectionError::UnacknowledgedProduce(error));
                Answer::Close
            }
            (Some((plan, _)), ResponseBody::Produce(outcomes)) => {
                frame(&header, &plan.answer(&outcomes))
            }
            (Some(_), _) => panic!("{ANSWERS}"),
            (None, body) => answer(&header, &body, limits),
        }
    }
}

fn answer(header: &RequestHeader, body: &ResponseBody, limits: &Limits) -> Answer {
    if let ResponseBody::Query { query, image, listener } = body {
        return answer_query(header, query, image, listener, limits);
    }
    body.encode_plain(Framed(header)).expect(ANSWERS)
}

/// The answer behind this header.
struct Framed<'a>(&'a RequestHeader);

impl Encode for Framed<'_> {
    type Output = Answer;

    fn encode<M: Message>(self, message: &M) -> Answer {
        frame(self.0, message)
    }
}

const ANSWERS: &str = "invariant: a response answers what was asked";

fn answer_query(
    header: &RequestHeader,
    query: &Query,
    image: &Image,
    listener: &str,
    limits: &Limits,
) -> Answer {
    let version = header.api_version;
    match query {
        Query::ApiVersions(error) => frame(header, &api_versions::answer(*error, version, image)),
        Query::Metadata(request) => {
            frame(header, &metadata::answer(request, version, image, listener))
        }
        Query::DescribeTopicPartitions(request) => {
            frame(header, &describe_topic_partitions::answer(request, image, listener, limits))
        }
        Query::DescribeCluster(request) => {
            frame(header, &describe_cluster::answer(request, image, listener))
        }
        Query::SaslHandshake(_) => frame(header, &security::sasl_handshake()),
        Query::SaslAuthenticate(_) => frame(header, &security::sasl_authenticate()),
        Query::DescribeAcls(_) => frame(header, &security::describe_acls()),
        Query::CreateAcls(request) => frame(header, &security::create_acls(request)),
        Query::DeleteAcls(request) => frame(header, &security::delete_acls(request)),
        Query::DescribeConfigs(request) => frame(header, &describe_configs::answer(request, image)),
        Query::ListConfigResources(request) => {
            frame(header, &list_config_resources::answer(request, version, image))
        }
        Query::ElectLeaders(request) => frame(header, &elect_leaders::answer(request, image)),
        Query::ListPartitionReassignments(request) => {
            frame(header, &list_partition_reassignments::answer(request, image))
        }
    }
}

fn frame<M: Message>(header: &RequestHeader, body: &M) -> Answer {
    debug_assert!(header.api().is_some_and(|api| M::NAME.starts_with(api.name)), "{ANSWERS}");
    Answer::Frame(pieces::response(header, body))
}
