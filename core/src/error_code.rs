//! Kafka's error codes (`org.apache.kafka.common.protocol.Errors`).

use core::fmt;

/// An error code as it stands on the wire; unknown ones survive.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i16);

impl ErrorCode {
    /// Whether it says that nothing went wrong.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// Kafka's name and the number, as in `INVALID_RECORD(87)`.
impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name().unwrap_or("UNKNOWN"), self.0)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

macro_rules! error_codes {
    ($($(#[$meta:meta])* $name:ident = $code:expr;)+) => {
        impl ErrorCode {
            $( $(#[$meta])* pub const $name: Self = Self($code); )+

            /// All that Kafka 4.3 knows, by number.
            pub const ALL: &[Self] = &[$( Self::$name ),+];

            /// Kafka's name of it.
            #[allow(clippy::too_many_lines, reason = "a table")]
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $( Self::$name => Some(stringify!($name)), )+
                    _ => None,
                }
            }
        }
    };
}

error_codes! {
    /// The broker met something that it did not expect.
    UNKNOWN_SERVER_ERROR = -1;
    /// No error.
    NONE = 0;
    /// The offset is outside the log.
    OFFSET_OUT_OF_RANGE = 1;
    /// A batch fails its checksum, or its size or magic makes no sense.
    CORRUPT_MESSAGE = 2;
    /// No such topic or partition here.
    UNKNOWN_TOPIC_OR_PARTITION = 3;
    /// The fetch size makes no sense.
    INVALID_FETCH_SIZE = 4;
    /// The partition has no leader now.
    LEADER_NOT_AVAILABLE = 5;
    /// The broker is not the partition's leader, or no replica of it.
    NOT_LEADER_OR_FOLLOWER = 6;
    /// The request was not done in its time.
    REQUEST_TIMED_OUT = 7;
    /// The broker is not available.
    BROKER_NOT_AVAILABLE = 8;
    /// The replica is not available.
    REPLICA_NOT_AVAILABLE = 9;
    /// A batch is larger than the topic allows.
    MESSAGE_TOO_LARGE = 10;
    /// Another controller is newer.
    STALE_CONTROLLER_EPOCH = 11;
    /// The text beside a committed offset is too long.
    OFFSET_METADATA_TOO_LARGE = 12;
    /// The connection was lost before the answer; set by clients alone.
    NETWORK_EXCEPTION = 13;
    /// The coordinator is still reading its log.
    COORDINATOR_LOAD_IN_PROGRESS = 14;
    /// There is no coordinator yet.
    COORDINATOR_NOT_AVAILABLE = 15;
    /// Another broker is the coordinator.
    NOT_COORDINATOR = 16;
    /// The topic's name is invalid, or the topic is not for clients to write.
    INVALID_TOPIC_EXCEPTION = 17;
    /// A batch is larger than a segment.
    RECORD_LIST_TOO_LARGE = 18;
    /// Too few replicas are in sync; nothing was appended.
    NOT_ENOUGH_REPLICAS = 19;
    /// Too few replicas are in sync; the batch was appended.
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20;
    /// Acks is none of -1, 0, 1.
    INVALID_REQUIRED_ACKS = 21;
    /// The member's generation is not the group's.
    ILLEGAL_GENERATION = 22;
    /// The member's protocols do not fit those of the group.
    INCONSISTENT_GROUP_PROTOCOL = 23;
    /// The group's id is invalid.
    INVALID_GROUP_ID = 24;
    /// The group has no such member.
    UNKNOWN_MEMBER_ID = 25;
    /// The session timeout is outside the broker's bounds.
    INVALID_SESSION_TIMEOUT = 26;
    /// The group is rebalancing; join again.
    REBALANCE_IN_PROGRESS = 27;
    /// The offsets committed at once are too many bytes.
    INVALID_COMMIT_OFFSET_SIZE = 28;
    /// Not allowed on the topic.
    TOPIC_AUTHORIZATION_FAILED = 29;
    /// Not allowed on the group.
    GROUP_AUTHORIZATION_FAILED = 30;
    /// Not allowed on the cluster.
    CLUSTER_AUTHORIZATION_FAILED = 31;
    /// A record's timestamp is outside what the topic accepts.
    INVALID_TIMESTAMP = 32;
    /// The broker has no such SASL mechanism.
    UNSUPPORTED_SASL_MECHANISM = 33;
    /// The request does not fit the state of authentication.
    ILLEGAL_SASL_STATE = 34;
    /// The version is not served.
    UNSUPPORTED_VERSION = 35;
    /// The topic exists.
    TOPIC_ALREADY_EXISTS = 36;
    /// The number of partitions makes no sense.
    INVALID_PARTITIONS = 37;
    /// The replication factor is below 1 or above the number of brokers.
    INVALID_REPLICATION_FACTOR = 38;
    /// The assignment of replicas makes no sense.
    INVALID_REPLICA_ASSIGNMENT = 39;
    /// A setting is unknown or its value invalid.
    INVALID_CONFIG = 40;
    /// Another node is the controller.
    NOT_CONTROLLER = 41;
    /// The request contradicts itself or the protocol.
    INVALID_REQUEST = 42;
    /// The log's message format cannot hold this.
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43;
    /// A policy of the broker forbids this.
    POLICY_VIOLATION = 44;
    /// The batch does not follow the producer's last one.
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
    /// The batch was appended before.
    DUPLICATE_SEQUENCE_NUMBER = 46;
    /// A newer producer with the same id has written.
    INVALID_PRODUCER_EPOCH = 47;
    /// The transaction's state does not allow this.
    INVALID_TXN_STATE = 48;
    /// The producer id does not belong to the transactional id.
    INVALID_PRODUCER_ID_MAPPING = 49;
    /// The transaction timeout is above the broker's limit.
    INVALID_TRANSACTION_TIMEOUT = 50;
    /// The producer's former transaction is still being ended.
    CONCURRENT_TRANSACTIONS = 51;
    /// Another transaction coordinator is newer.
    TRANSACTION_COORDINATOR_FENCED = 52;
    /// Not allowed on the transactional id.
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53;
    /// The broker has no authorizer.
    SECURITY_DISABLED = 54;
    /// Not tried, because something else in the request failed.
    OPERATION_NOT_ATTEMPTED = 55;
    /// The log's directory failed.
    KAFKA_STORAGE_ERROR = 56;
    /// The broker has no such log directory.
    LOG_DIR_NOT_FOUND = 57;
    /// The credentials are wrong.
    SASL_AUTHENTICATION_FAILED = 58;
    /// The log knows nothing of the producer.
    UNKNOWN_PRODUCER_ID = 59;
    /// The partition is being reassigned.
    REASSIGNMENT_IN_PROGRESS = 60;
    /// Delegation tokens are not enabled.
    DELEGATION_TOKEN_AUTH_DISABLED = 61;
    /// No such delegation token.
    DELEGATION_TOKEN_NOT_FOUND = 62;
    /// The principal is neither owner nor renewer of the token.
    DELEGATION_TOKEN_OWNER_MISMATCH = 63;
    /// Delegation tokens are not handled on this connection.
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64;
    /// Not allowed on the delegation token.
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65;
    /// The delegation token has expired.
    DELEGATION_TOKEN_EXPIRED = 66;
    /// The principal's type is not supported.
    INVALID_PRINCIPAL_TYPE = 67;
    /// The group has members.
    NON_EMPTY_GROUP = 68;
    /// No such group.
    GROUP_ID_NOT_FOUND = 69;
    /// No such fetch session.
    FETCH_SESSION_ID_NOT_FOUND = 70;
    /// The fetch session's epoch is another.
    INVALID_FETCH_SESSION_EPOCH = 71;
    /// The leader has no listener of that name.
    LISTENER_NOT_FOUND = 72;
    /// Topics may not be deleted.
    TOPIC_DELETION_DISABLED = 73;
    /// The leader epoch asked for is older than the broker's.
    FENCED_LEADER_EPOCH = 74;
    /// The leader epoch asked for is newer than the broker's.
    UNKNOWN_LEADER_EPOCH = 75;
    /// The version of the request does not know the compression.
    UNSUPPORTED_COMPRESSION_TYPE = 76;
    /// The broker has registered anew.
    STALE_BROKER_EPOCH = 77;
    /// The new leader's high watermark has not caught up yet.
    OFFSET_NOT_AVAILABLE = 78;
    /// Join again with the member id given.
    MEMBER_ID_REQUIRED = 79;
    /// The preferred leader is not available.
    PREFERRED_LEADER_NOT_AVAILABLE = 80;
    /// The group is full.
    GROUP_MAX_SIZE_REACHED = 81;
    /// Another member has taken the static id.
    FENCED_INSTANCE_ID = 82;
    /// No replica may become leader.
    ELIGIBLE_LEADERS_NOT_AVAILABLE = 83;
    /// The partition has the leader that it should have.
    ELECTION_NOT_NEEDED = 84;
    /// The partition is not being reassigned.
    NO_REASSIGNMENT_IN_PROGRESS = 85;
    /// A member of the group still subscribes to the topic.
    GROUP_SUBSCRIBED_TO_TOPIC = 86;
    /// A record or its batch breaks the rules of the format.
    INVALID_RECORD = 87;
    /// A transaction that commits these offsets is open.
    UNSTABLE_OFFSET_COMMIT = 88;
    /// The quota is used up.
    THROTTLING_QUOTA_EXCEEDED = 89;
    /// A newer producer has the same transactional id.
    PRODUCER_FENCED = 90;
    /// No such resource.
    RESOURCE_NOT_FOUND = 91;
    /// The resource exists.
    DUPLICATE_RESOURCE = 92;
    /// The credential is not strong enough, or invalid.
    UNACCEPTABLE_CREDENTIAL = 93;
    /// The node is no voter, or the voters differ.
    INCONSISTENT_VOTER_SET = 94;
    /// The version of the update is invalid.
    INVALID_UPDATE_VERSION = 95;
    /// The feature could not be updated.
    FEATURE_UPDATE_FAILED = 96;
    /// A forwarded request's principal cannot be read.
    PRINCIPAL_DESERIALIZATION_FAILURE = 97;
    /// No such snapshot.
    SNAPSHOT_NOT_FOUND = 98;
    /// The position is outside the snapshot.
    POSITION_OUT_OF_RANGE = 99;
    /// No topic has this id.
    UNKNOWN_TOPIC_ID = 100;
    /// A live broker has this id.
    DUPLICATE_BROKER_REGISTRATION = 101;
    /// No broker with this id has registered.
    BROKER_ID_NOT_REGISTERED = 102;
    /// The topic id is not that of the log.
    INCONSISTENT_TOPIC_ID = 103;
    /// The cluster id is another.
    INCONSISTENT_CLUSTER_ID = 104;
    /// No such transactional id.
    TRANSACTIONAL_ID_NOT_FOUND = 105;
    /// The fetch session names topics by ids where the request does not, or the reverse.
    FETCH_SESSION_TOPIC_ID_ERROR = 106;
    /// The replica may not join those in sync.
    INELIGIBLE_REPLICA = 107;
    /// The change of replicas made another the leader.
    NEW_LEADER_ELECTED = 108;
    /// The offset is in remote storage alone.
    OFFSET_MOVED_TO_TIERED_STORAGE = 109;
    /// The member's epoch is not the group coordinator's.
    FENCED_MEMBER_EPOCH = 110;
    /// Another member still has the static id.
    UNRELEASED_INSTANCE_ID = 111;
    /// The group cannot use the assignor.
    UNSUPPORTED_ASSIGNOR = 112;
    /// The member's epoch is behind.
    STALE_MEMBER_EPOCH = 113;
    /// The request was sent to a broker instead of a controller, or the reverse.
    MISMATCHED_ENDPOINT_TYPE = 114;
    /// No such type of endpoint.
    UNSUPPORTED_ENDPOINT_TYPE = 115;
    /// No such controller.
    UNKNOWN_CONTROLLER_ID = 116;
    /// The client's telemetry subscription is out of date.
    UNKNOWN_SUBSCRIPTION_ID = 117;
    /// The client's telemetry is too many bytes.
    TELEMETRY_TOO_LARGE = 118;
    /// The controller takes the broker's registration for invalid.
    INVALID_REGISTRATION = 119;
    /// The transaction must be aborted, but the producer may go on.
    TRANSACTION_ABORTABLE = 120;
    /// The record's state does not allow the acknowledgement.
    INVALID_RECORD_STATE = 121;
    /// No such share session.
    SHARE_SESSION_NOT_FOUND = 122;
    /// The share session's epoch is another.
    INVALID_SHARE_SESSION_EPOCH = 123;
    /// The share group state's epoch is behind.
    FENCED_STATE_EPOCH = 124;
    /// The voter key is not the receiver's.
    INVALID_VOTER_KEY = 125;
    /// The voter is in the set.
    DUPLICATE_VOTER = 126;
    /// The voter is not in the set.
    VOTER_NOT_FOUND = 127;
    /// The regular expression is invalid.
    INVALID_REGULAR_EXPRESSION = 128;
    /// The client must begin again from its bootstrap servers.
    REBOOTSTRAP_REQUIRED = 129;
    /// The Streams topology is invalid.
    STREAMS_INVALID_TOPOLOGY = 130;
    /// The Streams topology's epoch is invalid.
    STREAMS_INVALID_TOPOLOGY_EPOCH = 131;
    /// The Streams topology's epoch is outdated.
    STREAMS_TOPOLOGY_FENCED = 132;
    /// There are too many share sessions.
    SHARE_SESSION_LIMIT_REACHED = 133;
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::ErrorCode;

    #[test]
    fn known_codes_have_names_and_unknown_ones_survive() {
        assert_eq!(format!("{}", ErrorCode::INVALID_RECORD), "INVALID_RECORD(87)");
        assert_eq!(format!("{:?}", ErrorCode(1000)), "UNKNOWN(1000)");
        assert_eq!(ErrorCode::default(), ErrorCode::NONE);
    }

    #[test]
    fn codes_have_no_gap() {
        let numbers = ErrorCode::ALL.iter().map(|code| code.0);
        assert!(numbers.eq(-1..=133));
    }
}
