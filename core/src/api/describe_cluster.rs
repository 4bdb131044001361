//! DescribeCluster (key 60): tells of the brokers (KIP-700), or of the controllers (KIP-919).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for the nodes.
    pub struct DescribeClusterRequest (versions: 0..=2, flexible: 0..) {
        /// Whether [`DescribeClusterResponse::cluster_authorized_operations`] is wanted.
        include_cluster_authorized_operations: bool { versions: 0.. },
        /// 1 brokers, 2 controllers.
        endpoint_type: i8 { versions: 1.., default: 1 },
        /// Whether fenced brokers are told of too.
        include_fenced_brokers: bool { versions: 2.. },
    }

    /// The answer to a [`DescribeClusterRequest`].
    pub struct DescribeClusterResponse (versions: 0..=2, flexible: 0..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 0.., nullable: 0.. },
        /// 1 brokers, 2 controllers.
        endpoint_type: i8 { versions: 1.., default: 1 },
        /// The cluster's id.
        cluster_id: String { versions: 0.. },
        /// The node that changes go to; -1 when there is none.
        controller_id: i32 { versions: 0.., default: -1 },
        /// The nodes.
        brokers: Vec<DescribeClusterBroker> { versions: 0.. },
        /// What the client may do, as bits of `AclOperation`; the least number when not asked for.
        cluster_authorized_operations: i32 { versions: 0.., default: i32::MIN },
    }

    /// A node.
    pub struct DescribeClusterBroker {
        /// Its id.
        broker_id: i32 { versions: 0.. },
        /// Host name or address.
        host: String { versions: 0.. },
        /// Port.
        port: i32 { versions: 0.. },
        /// `broker.rack`.
        rack: Option<String> { versions: 0.., nullable: 0.. },
        /// It is known, and not in use.
        is_fenced: bool { versions: 2.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&DescribeClusterRequest {
            include_cluster_authorized_operations: true,
            endpoint_type: 89,
            include_fenced_brokers: true,
        });
        round_trip_all(&DescribeClusterResponse {
            throttle_time_ms: 1,
            error_code: ErrorCode::INVALID_REQUEST,
            error_message: Some("d".into()),
            endpoint_type: 4,
            cluster_id: "f".into(),
            controller_id: 6,
            brokers: vec![DescribeClusterBroker {
                broker_id: 8,
                host: "b".into(),
                port: 10,
                rack: Some("d".into()),
                is_fenced: true,
            }],
            cluster_authorized_operations: 7,
        });
    }
}
