//! What passes between a [`Connection`](crate::Connection) and the [`Broker`](crate::Broker).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::api;
use crate::api::ApiKey;
use crate::api::create_acls::CreateAclsRequest;
use crate::api::delete_acls::DeleteAclsRequest;
use crate::api::describe_acls::DescribeAclsRequest;
use crate::api::describe_cluster::DescribeClusterRequest;
use crate::api::describe_configs::DescribeConfigsRequest;
use crate::api::describe_topic_partitions::DescribeTopicPartitionsRequest;
use crate::api::elect_leaders::ElectLeadersRequest;
use crate::api::fetch::FetchResponse;
use crate::api::join_group::{JoinGroupRequest, JoinGroupResponse};
use crate::api::list_config_resources::ListConfigResourcesRequest;
use crate::api::list_partition_reassignments::ListPartitionReassignmentsRequest;
use crate::api::metadata::MetadataRequest;
use crate::api::sasl_authenticate::SaslAuthenticateRequest;
use crate::api::sasl_handshake::SaslHandshakeRequest;
use crate::batch::CheckedBatch;
use crate::broker::image::Image;
use crate::codec::{DecodeError, Message, Reader};
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

macro_rules! answered_by_the_broker {
    ($($(#[$meta:meta])* $name:ident($key:ident, $request:ty, $response:ty),)+) => {
        /// What is asked.
        #[derive(Clone, Debug)]
        pub enum RequestBody {
            /// Appends to logs.
            Produce(ProduceCommand),
            /// Reads of the image.
            Query(Query),
            /// Becomes a member of a group.
            JoinGroup(JoinGroupCommand),
            $(
                $(#[$meta])*
                $name {
                    /// As sent.
                    version: i16,
                    /// As decoded.
                    request: $request,
                },
            )+
        }

        impl RequestBody {
            /// Reads a request that goes to the broker as it was sent; `None` when the key's do not.
            pub(crate) fn read_plain(
                key: ApiKey,
                version: i16,
                reader: &mut Reader<'_>,
            ) -> Option<Result<Self, (&'static str, DecodeError)>> {
                match key {
                    $(
                        ApiKey::$key => Some(match <$request>::read(reader, version) {
                            Ok(request) => Ok(Self::$name { version, request }),
                            Err(error) => Err((<$request>::NAME, error)),
                        }),
                    )+
                    _ => None,
                }
            }
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
            /// Becomes a member of a group.
            JoinGroup(JoinGroupResponse),
            $(
                $(#[$meta])*
                $name($response),
            )+
        }

        impl ResponseBody {
            /// Encodes an answer that is one message as it stands; `None` for any other.
            pub(crate) fn encode_plain<E: Encode>(&self, encode: E) -> Option<E::Output> {
                match self {
                    Self::Produce(_) | Self::Query { .. } => None,
                    Self::JoinGroup(response) => Some(encode.encode(response)),
                    $( Self::$name(response) => Some(encode.encode(response)), )+
                }
            }
        }
    };
}

/// What is done with a message of any type.
pub(crate) trait Encode {
    /// What it becomes.
    type Output;

    fn encode<M: Message>(self, message: &M) -> Self::Output;
}

answered_by_the_broker! {
    /// Reads logs.
    Fetch(FETCH, api::fetch::FetchRequest, api::fetch::FetchResponse),
    /// Asks for offsets.
    ListOffsets(
        LIST_OFFSETS,
        api::list_offsets::ListOffsetsRequest,
        api::list_offsets::ListOffsetsResponse
    ),
    /// Asks where leader epochs end.
    OffsetForLeaderEpoch(
        OFFSET_FOR_LEADER_EPOCH,
        api::offset_for_leader_epoch::OffsetForLeaderEpochRequest,
        api::offset_for_leader_epoch::OffsetForLeaderEpochResponse
    ),
    /// Makes topics.
    CreateTopics(
        CREATE_TOPICS,
        api::create_topics::CreateTopicsRequest,
        api::create_topics::CreateTopicsResponse
    ),
    /// Deletes topics.
    DeleteTopics(
        DELETE_TOPICS,
        api::delete_topics::DeleteTopicsRequest,
        api::delete_topics::DeleteTopicsResponse
    ),
    /// Gives topics more partitions.
    CreatePartitions(
        CREATE_PARTITIONS,
        api::create_partitions::CreatePartitionsRequest,
        api::create_partitions::CreatePartitionsResponse
    ),
    /// Moves the start of logs.
    DeleteRecords(
        DELETE_RECORDS,
        api::delete_records::DeleteRecordsRequest,
        api::delete_records::DeleteRecordsResponse
    ),
    /// Asks for a producer id.
    InitProducerId(
        INIT_PRODUCER_ID,
        api::init_producer_id::InitProducerIdRequest,
        api::init_producer_id::InitProducerIdResponse
    ),
    /// Asks for the producers of partitions.
    DescribeProducers(
        DESCRIBE_PRODUCERS,
        api::describe_producers::DescribeProducersRequest,
        api::describe_producers::DescribeProducersResponse
    ),
    /// Moves partitions.
    AlterPartitionReassignments(
        ALTER_PARTITION_REASSIGNMENTS,
        api::alter_partition_reassignments::AlterPartitionReassignmentsRequest,
        api::alter_partition_reassignments::AlterPartitionReassignmentsResponse
    ),
    /// Asks for log directories.
    DescribeLogDirs(
        DESCRIBE_LOG_DIRS,
        api::describe_log_dirs::DescribeLogDirsRequest,
        api::describe_log_dirs::DescribeLogDirsResponse
    ),
    /// Asks for the metadata quorum.
    DescribeQuorum(
        DESCRIBE_QUORUM,
        api::describe_quorum::DescribeQuorumRequest,
        api::describe_quorum::DescribeQuorumResponse
    ),
    /// Changes the levels of features.
    UpdateFeatures(
        UPDATE_FEATURES,
        api::update_features::UpdateFeaturesRequest,
        api::update_features::UpdateFeaturesResponse
    ),
    /// Forgets a broker.
    UnregisterBroker(
        UNREGISTER_BROKER,
        api::unregister_broker::UnregisterBrokerRequest,
        api::unregister_broker::UnregisterBrokerResponse
    ),
    /// Replaces settings.
    AlterConfigs(
        ALTER_CONFIGS,
        api::alter_configs::AlterConfigsRequest,
        api::alter_configs::AlterConfigsResponse
    ),
    /// Changes settings.
    IncrementalAlterConfigs(
        INCREMENTAL_ALTER_CONFIGS,
        api::incremental_alter_configs::IncrementalAlterConfigsRequest,
        api::incremental_alter_configs::IncrementalAlterConfigsResponse
    ),
    /// Asks which broker coordinates.
    FindCoordinator(
        FIND_COORDINATOR,
        api::find_coordinator::FindCoordinatorRequest,
        api::find_coordinator::FindCoordinatorResponse
    ),
    /// Asks for a member's part.
    SyncGroup(
        SYNC_GROUP,
        api::sync_group::SyncGroupRequest,
        api::sync_group::SyncGroupResponse
    ),
    /// A member is alive.
    Heartbeat(
        HEARTBEAT,
        api::heartbeat::HeartbeatRequest,
        api::heartbeat::HeartbeatResponse
    ),
    /// Members leave a group.
    LeaveGroup(
        LEAVE_GROUP,
        api::leave_group::LeaveGroupRequest,
        api::leave_group::LeaveGroupResponse
    ),
    /// Keeps how far a group has read.
    OffsetCommit(
        OFFSET_COMMIT,
        api::offset_commit::OffsetCommitRequest,
        api::offset_commit::OffsetCommitResponse
    ),
    /// Asks how far groups have read.
    OffsetFetch(
        OFFSET_FETCH,
        api::offset_fetch::OffsetFetchRequest,
        api::offset_fetch::OffsetFetchResponse
    ),
    /// Asks what groups are like.
    DescribeGroups(
        DESCRIBE_GROUPS,
        api::describe_groups::DescribeGroupsRequest,
        api::describe_groups::DescribeGroupsResponse
    ),
    /// Asks for groups.
    ListGroups(
        LIST_GROUPS,
        api::list_groups::ListGroupsRequest,
        api::list_groups::ListGroupsResponse
    ),
    /// Deletes groups.
    DeleteGroups(
        DELETE_GROUPS,
        api::delete_groups::DeleteGroupsRequest,
        api::delete_groups::DeleteGroupsResponse
    ),
    /// Forgets committed offsets.
    OffsetDelete(
        OFFSET_DELETE,
        api::offset_delete::OffsetDeleteRequest,
        api::offset_delete::OffsetDeleteResponse
    ),
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
    /// DescribeCluster.
    DescribeCluster(DescribeClusterRequest),
    /// SaslHandshake.
    SaslHandshake(SaslHandshakeRequest),
    /// SaslAuthenticate.
    SaslAuthenticate(SaslAuthenticateRequest),
    /// DescribeAcls.
    DescribeAcls(DescribeAclsRequest),
    /// CreateAcls.
    CreateAcls(CreateAclsRequest),
    /// DeleteAcls.
    DeleteAcls(DeleteAclsRequest),
    /// DescribeConfigs.
    DescribeConfigs(DescribeConfigsRequest),
    /// ListConfigResources.
    ListConfigResources(ListConfigResourcesRequest),
    /// ElectLeaders.
    ElectLeaders(ElectLeadersRequest),
    /// ListPartitionReassignments.
    ListPartitionReassignments(ListPartitionReassignmentsRequest),
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

/// A JoinGroup request, with the one thing of its header that the group remembers.
#[derive(Clone, Debug)]
pub struct JoinGroupCommand {
    /// As sent.
    pub version: i16,
    /// The client's name of itself; empty for null.
    pub client_id: String,
    /// As decoded.
    pub request: JoinGroupRequest,
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
