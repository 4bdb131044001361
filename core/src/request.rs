//! What passes between a [`Connection`](crate::Connection) and the [`Broker`](crate::Broker).

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::api::delete_records::{DeleteRecordsRequest, DeleteRecordsResponse};
use crate::api::describe_producers::{DescribeProducersRequest, DescribeProducersResponse};
use crate::api::describe_topic_partitions::DescribeTopicPartitionsRequest;
use crate::api::fetch::{FetchRequest, FetchResponse};
use crate::api::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::api::list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
use crate::api::metadata::MetadataRequest;
use crate::api::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};
use crate::batch::CheckedBatch;
use crate::broker::image::Image;
use crate::error_code::ErrorCode;
use crate::ids::{FileId, RequestNumber, Uuid};

/// A decoded request. The connection keeps what only the answer's encoding needs (version,
/// correlation id, names); the broker sees what it decides on.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its place in the connection's order.
    pub number: RequestNumber,
    /// Responses of this connection that have left the process entirely: their pins end.
    pub transmitted: u64,
    /// What is asked.
    pub body: RequestBody,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum RequestBody {
    /// Appends to logs.
    Produce(ProduceCommand),
    /// Reads of the image.
    Query(Query),
    /// Reads logs.
    Fetch {
        /// As sent.
        version: i16,
        /// As decoded.
        request: FetchRequest,
    },
    /// Asks for offsets.
    ListOffsets {
        /// As sent.
        version: i16,
        /// As decoded.
        request: ListOffsetsRequest,
    },
    /// Asks where leader epochs end.
    OffsetForLeaderEpoch {
        /// As sent.
        version: i16,
        /// As decoded.
        request: OffsetForLeaderEpochRequest,
    },
    /// Moves the start of logs.
    DeleteRecords {
        /// As sent.
        version: i16,
        /// As decoded.
        request: DeleteRecordsRequest,
    },
    /// Asks for a producer id.
    InitProducerId {
        /// As sent.
        version: i16,
        /// As decoded.
        request: InitProducerIdRequest,
    },
    /// Asks for the producers of partitions.
    DescribeProducers {
        /// As sent.
        version: i16,
        /// As decoded.
        request: DescribeProducersRequest,
    },
}

/// A request that the image alone answers.
#[derive(Clone, Debug)]
pub enum Query {
    /// ApiVersions, with what the connection found wrong with it (35, 42), or none.
    ApiVersions(ErrorCode),
    /// Metadata.
    Metadata(MetadataRequest),
    /// DescribeTopicPartitions.
    DescribeTopicPartitions(DescribeTopicPartitionsRequest),
}

/// A Produce request, less what the connection has answered already.
#[derive(Clone, Debug)]
pub struct ProduceCommand {
    /// Which answer is wanted.
    pub acks: Acks,
    /// As sent, milliseconds.
    pub timeout_ms: i32,
    /// The partitions that the broker has to look at; answered by [`ResponseBody::Produce`] in this order.
    pub partitions: Vec<PartitionAppend>,
}

/// Which answer a producer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// 0: none.
    None,
    /// 1: when the leader has it.
    Leader,
    /// -1: when all in-sync replicas have it.
    All,
}

/// One partition of a Produce request.
#[derive(Clone, Debug)]
pub struct PartitionAppend {
    /// The topic that the connection saw in its image.
    pub topic_id: Uuid,
    /// Partition index.
    pub partition: i32,
    /// The checked batch; `None` when the connection refused it, and wants to know whether the partition is
    /// there, and where its log starts.
    pub batch: Option<CheckedBatch>,
}

/// The one answer to a request.
#[derive(Clone, Debug)]
pub struct Response {
    /// The request's number.
    pub number: RequestNumber,
    /// What is answered.
    pub body: ResponseBody,
}

/// What is answered.
#[derive(Clone, Debug)]
pub enum ResponseBody {
    /// One for each [`PartitionAppend`], in its order.
    Produce(Vec<AppendOutcome>),
    /// The image to answer from.
    Query {
        /// As asked.
        query: Query,
        /// The state to answer with.
        image: Arc<Image>,
        /// The name of the listener that the connection came in by: it picks the endpoints.
        listener: Arc<str>,
    },
    /// What was read.
    Fetch(FetchResponse),
    /// The offsets.
    ListOffsets(ListOffsetsResponse),
    /// The ends.
    OffsetForLeaderEpoch(OffsetForLeaderEpochResponse),
    /// Where the logs start now.
    DeleteRecords(DeleteRecordsResponse),
    /// The producer id.
    InitProducerId(InitProducerIdResponse),
    /// The producers.
    DescribeProducers(DescribeProducersResponse),
}

/// What became of one append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendOutcome {
    /// None, or why not.
    pub error: ErrorCode,
    /// First offset; -1 when nothing was appended.
    pub base_offset: i64,
    /// The broker's time when the topic is LogAppendTime, else -1.
    pub log_append_time_ms: i64,
    /// The log's start; -1 when the log was not looked at.
    pub log_start_offset: i64,
}

impl ResponseBody {
    /// The files whose ranges the response carries: pinned until it has left. Only what reads logs has any.
    pub fn files(&self) -> impl Iterator<Item = FileId> {
        let fetched = if let Self::Fetch(response) = self { Some(response) } else { None };
        fetched.into_iter().flat_map(FetchResponse::files)
    }
}
