//! DescribeCluster (key 60), as `AuthHelper.computeDescribeClusterResponse` answers it on a broker.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::CLUSTER_OPERATIONS;
use super::partition_view::endpoint;
use crate::api::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};
use crate::broker::image::Image;
use crate::error_code::ErrorCode;

/// `EndpointType`: what the request speaks of.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Answers `request`, which came in by `listener`.
///
/// As its controller a broker names a live broker, which passes changes on.
pub fn answer(
    request: &DescribeClusterRequest,
    image: &Image,
    listener: &str,
) -> DescribeClusterResponse {
    match request.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            let message = "The request was sent to an endpoint of type BROKER, but we wanted an \
                           endpoint of type CONTROLLER";
            return refusal(ErrorCode::MISMATCHED_ENDPOINT_TYPE, message.into());
        }
        unknown => {
            let message = format!("Unsupported endpoint type {unknown}");
            return refusal(ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, message);
        }
    }
    let living = image.brokers.iter().filter_map(|(broker_id, broker)| {
        let endpoint = endpoint(broker, listener)?;
        Some(DescribeClusterBroker {
            broker_id: *broker_id,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            rack: broker.rack.clone(),
            is_fenced: false,
        })
    });
    let mut brokers: Vec<_> = living.collect();
    if request.include_fenced_brokers {
        brokers.extend(fenced(image, listener));
    }
    let mut response = DescribeClusterResponse {
        cluster_id: image.cluster_id.clone(),
        controller_id: image.node_id,
        brokers,
        ..DescribeClusterResponse::default()
    };
    // A controller that is not among the nodes would only confuse.
    if response.brokers.iter().all(|broker| broker.broker_id != response.controller_id) {
        response.controller_id = -1;
    }
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    response
}

/// Brokers of a larger cluster, from which the directory comes.
fn fenced(image: &Image, listener: &str) -> impl Iterator<Item = DescribeClusterBroker> {
    let gone = image.registrations.values();
    let gone = gone.filter(|registration| !image.brokers.contains_key(&registration.broker_id));
    gone.filter_map(move |registration| {
        let mut endpoints = registration.end_points.iter();
        let endpoint = endpoints.find(|endpoint| endpoint.name == listener)?;
        Some(DescribeClusterBroker {
            broker_id: registration.broker_id,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            rack: registration.rack.clone(),
            is_fenced: true,
        })
    })
}

fn refusal(error_code: ErrorCode, message: String) -> DescribeClusterResponse {
    DescribeClusterResponse {
        error_code,
        error_message: Some(message),
        ..DescribeClusterResponse::default()
    }
}
