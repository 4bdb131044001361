//! UpdateFeatures (key 57): changes the levels of features (KIP-584).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks to change features.
    pub struct UpdateFeaturesRequest (versions: 0..=2, flexible: 0..) {
        /// How long it may take, in milliseconds.
        timeout_ms: i32 { versions: 0.., default: 60000 },
        /// The features.
        feature_updates: Vec<FeatureUpdateKey> { versions: 0.. },
        /// Only to say what would become of it.
        validate_only: bool { versions: 1.. },
    }

    /// A feature to change.
    pub struct FeatureUpdateKey {
        /// Its name.
        feature: String { versions: 0.. },
        /// The level to go to; below 1 takes the feature away.
        max_version_level: i16 { versions: 0.. },
        /// Whether the level may be lower than it is.
        allow_downgrade: bool { versions: 0..=0 },
        /// 1 upgrade, 2 safe downgrade, 3 unsafe downgrade (`FeatureUpdate.UpgradeType`).
        upgrade_type: i8 { versions: 1.., default: 1 },
    }

    /// The answer to an [`UpdateFeaturesRequest`].
    pub struct UpdateFeaturesResponse (versions: 0..=2, flexible: 0..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 0.., nullable: 0.. },
        /// One for each that was asked for.
        results: Vec<UpdatableFeatureResult> { versions: 0..=1 },
    }

    /// What became of a feature.
    pub struct UpdatableFeatureResult {
        /// Its name.
        feature: String { versions: 0.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 0.., nullable: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::{round_trip, round_trip_all};

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&UpdateFeaturesRequest {
            timeout_ms: 47,
            feature_updates: vec![FeatureUpdateKey {
                feature: "b".into(),
                max_version_level: 50,
                allow_downgrade: false,
                upgrade_type: 52,
            }],
            validate_only: true,
        });
        let first = UpdateFeaturesRequest {
            feature_updates: vec![FeatureUpdateKey {
                feature: "a".into(),
                allow_downgrade: true,
                ..FeatureUpdateKey::default()
            }],
            ..UpdateFeaturesRequest::default()
        };
        assert_eq!(round_trip(&first, 0), first);
        round_trip_all(&UpdateFeaturesResponse {
            throttle_time_ms: 53,
            error_code: ErrorCode::INVALID_REQUEST,
            error_message: Some("h".into()),
            results: Vec::new(),
        });
        let each = UpdateFeaturesResponse {
            results: vec![UpdatableFeatureResult {
                feature: "a".into(),
                error_code: ErrorCode::INVALID_REQUEST,
                error_message: Some("c".into()),
            }],
            ..UpdateFeaturesResponse::default()
        };
        assert_eq!(round_trip(&each, 1), each);
    }
}
