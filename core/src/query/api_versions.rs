//! ApiVersions (key 18; KIP-511, KIP-584): what is served here, and the cluster's features.

use alloc::borrow::ToOwned;
use alloc::vec;
use alloc::vec::Vec;

use crate::api::api_versions::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use crate::api::{APIS, Api, ApiKey};
use crate::broker::image::Image;
use crate::error_code::ErrorCode;

/// Answers with `error`, which the connection found, or with everything. The answer to
/// UNSUPPORTED_VERSION names this API alone, and is to be encoded as version 0: all that a client
/// of an unknown version is sure to read.
pub fn answer(error: ErrorCode, version: i16, image: &Image) -> ApiVersionsResponse {
    let refused = ApiVersionsResponse { error_code: error, ..ApiVersionsResponse::default() };
    match error {
        ErrorCode::NONE => everything(version, image),
        ErrorCode::UNSUPPORTED_VERSION => {
            let own = ApiKey::API_VERSIONS.api().map(entry);
            ApiVersionsResponse { api_keys: own.into_iter().collect(), ..refused }
        }
        _ => refused,
    }
}

/// A feature of Kafka 4.3, with the levels that are understood.
pub(crate) struct Feature {
    pub(crate) name: &'static str,
    pub(crate) min: i16,
    pub(crate) max: i16,
}

const METADATA_VERSION: &str = "metadata.version";
pub(crate) const KRAFT_VERSION: &str = "kraft.version";

/// In the order of Kafka's answer, which is that of a hash map and the same at every start.
pub(crate) const FEATURES: [Feature; 7] = [
    Feature { name: "group.version", min: 0, max: 1 },
    Feature { name: KRAFT_VERSION, min: 0, max: 1 },
    Feature { name: METADATA_VERSION, min: 7, max: 30 },
    Feature { name: "share.version", min: 0, max: 1 },
    Feature { name: "streams.version", min: 0, max: 1 },
    Feature { name: "transaction.version", min: 0, max: 2 },
    Feature { name: "eligible.leader.replicas.version", min: 0, max: 1 },
];

/// The order of finalized features in Kafka's answer: of another hash map.
const FINALIZED: [&str; 7] = [
    "group.version",
    KRAFT_VERSION,
    "share.version",
    METADATA_VERSION,
    "streams.version",
    "transaction.version",
    "eligible.leader.replicas.version",
];

/// Version 3 cannot say a lowest level of 0 (KAFKA-17011); features with one are left out there.
fn everything(version: i16, image: &Image) -> ApiVersionsResponse {
    const ZERO_LEVEL_SINCE: i16 = 4;
    let mut apis: Vec<&Api> = APIS.iter().collect();
    apis.sort_by_key(|api| api.key);
    let supported = FEATURES.iter().filter(|f| f.min > 0 || version >= ZERO_LEVEL_SINCE);
    ApiVersionsResponse {
        api_keys: apis.into_iter().map(entry).collect(),
        supported_features: supported
            .map(|feature| SupportedFeatureKey {
                name: feature.name.to_owned(),
                min_version: feature.min,
                max_version: feature.max,
            })
            .collect(),
        finalized_features_epoch: image.metadata_offset,
        finalized_features: finalized(image),
        ..ApiVersionsResponse::default()
    }
}

fn entry(api: &Api) -> ApiVersion {
    ApiVersion {
        api_key: api.key.0,
        min_version: *api.advertised.start(),
        max_version: *api.advertised.end(),
    }
}

/// What is not finalized is not named; without a record of the cluster there is nothing at all.
/// Features that are not known here stand last, by name.
fn finalized(image: &Image) -> Vec<FinalizedFeatureKey> {
    let known = FINALIZED.iter().filter_map(|name| match *name {
        KRAFT_VERSION => Some((KRAFT_VERSION, image.kraft_version)),
        name => image.features.get(name).map(|level| (name, *level)),
    });
    let is_known = |name: &str| FINALIZED.contains(&name);
    let others = image.features.iter().filter(|(name, _)| !is_known(name));
    let others = others.map(|(name, level)| (name.as_str(), *level));
    let mut features = vec![];
    for (name, level) in known.chain(others).filter(|(_, level)| *level > 0) {
        features.push(FinalizedFeatureKey {
            name: name.to_owned(),
            max_version_level: level,
            min_version_level: level,
        });
    }
    features
}
