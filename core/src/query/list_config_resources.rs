//! ListConfigResources (key 74, KIP-1142): what has settings.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::api::list_config_resources::{
    ConfigResource as Listed, ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use crate::broker::image::{ConfigResource, Image};
use crate::error_code::ErrorCode;

/// Answers `request` of `version`. The first version lists subscriptions to client metrics alone.
pub fn answer(
    request: &ListConfigResourcesRequest,
    version: i16,
    image: &Image,
) -> ListConfigResourcesResponse {
    let asked = match (version, &*request.resource_types) {
        (0, _) => &[ConfigResource::CLIENT_METRICS][..],
        (_, []) => &ConfigResource::DESCRIBED,
        (_, types) => types,
    };
    if asked.iter().any(|asked| !ConfigResource::DESCRIBED.contains(asked)) {
        let error_code = ErrorCode::UNSUPPORTED_VERSION;
        return ListConfigResourcesResponse { error_code, ..Default::default() };
    }
    let kinds = ConfigResource::DESCRIBED.iter().filter(|kind| asked.contains(kind));
    let config_resources = kinds.flat_map(|&resource_type| {
        let names = names(resource_type, image).into_iter();
        names.map(move |resource_name| Listed { resource_name, resource_type })
    });
    ListConfigResourcesResponse {
        throttle_time_ms: 0,
        error_code: ErrorCode::NONE,
        config_resources: config_resources.collect(),
    }
}

/// Topics and brokers are listed whether anything was set for them or not; all others only with.
fn names(resource_type: i8, image: &Image) -> Vec<String> {
    match resource_type {
        ConfigResource::TOPIC => image.topics.keys().map(ToString::to_string).collect(),
        ConfigResource::BROKER | ConfigResource::BROKER_LOGGER => {
            image.brokers.keys().map(ToString::to_string).collect()
        }
        _ => {
            let set = image.configs.keys();
            let of_kind = set.filter(|resource| resource.resource_type == resource_type);
            of_kind.map(|resource| resource.name.clone()).collect()
        }
    }
}
