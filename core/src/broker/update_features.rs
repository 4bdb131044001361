//! UpdateFeatures (key 57), as `FeatureControlManager.updateFeatures` answers it: the levels that the cluster's
//! records and protocols keep to. All of a request's levels change, or none.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Broker;
use super::image::{ConfigResource, Image};
use super::metadata_log::{Change, Draft};
use super::metadata_version::{METADATA_VERSION, MetadataVersion};
use super::registration::{ELR_VERSION, MIN_INSYNC_REPLICAS, min_insync_setting};
use crate::api::update_features::{
    UpdatableFeatureResult, UpdateFeaturesRequest, UpdateFeaturesResponse,
};
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber, Uuid};
use crate::query::{FEATURES, Feature, KRAFT_VERSION};
use crate::records::{ConfigRecord, ControlRecord, FeatureLevelRecord, KRaftVersionRecord};

/// A client's wish for other levels.
#[derive(Debug)]
pub(super) struct FeatureChange {
    pub(super) from: ConnectionId,
    pub(super) number: RequestNumber,
    version: i16,
    request: UpdateFeaturesRequest,
    /// Of this node's registration as a controller, should the new level ask for one.
    controller_incarnation: Uuid,
}

/// `FeatureUpdate.UpgradeType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UpgradeType {
    Unknown,
    Upgrade,
    SafeDowngrade,
    UnsafeDowngrade,
}

impl UpgradeType {
    fn from_code(code: i8) -> Self {
        match code {
            1 => Self::Upgrade,
            2 => Self::SafeDowngrade,
            3 => Self::UnsafeDowngrade,
            _ => Self::Unknown,
        }
    }
}

/// A level that a feature is to have.
#[derive(Clone, Copy, Debug)]
struct Wish<'a> {
    feature: &'a str,
    level: i16,
    upgrade_type: UpgradeType,
}

impl Broker {
    pub(super) fn handle_update_features(
        &mut self,
        from: ConnectionId,
        number: RequestNumber,
        version: i16,
        request: UpdateFeaturesRequest,
    ) {
        let controller_incarnation = self.rng.uuid();
        let change = FeatureChange { from, number, version, request, controller_incarnation };
        self.change_metadata(Change::Features(change));
    }

    /// Drafts the new levels, and what a broker and a controller of Kafka write when they see them.
    pub(super) fn draft_features(
        &self,
        change: &FeatureChange,
        draft: &mut Draft,
    ) -> UpdateFeaturesResponse {
        let request = &change.request;
        let wishes = wishes(request);
        if let Err(reason) = self.check_wishes(&wishes, draft.image()) {
            let message = format!(
                "The update failed for all features since the following feature had an error: \
                 {reason}"
            );
            return UpdateFeaturesResponse {
                error_code: ErrorCode::INVALID_UPDATE_VERSION,
                error_message: Some(message),
                ..UpdateFeaturesResponse::default()
            };
        }
        if !request.validate_only {
            self.draft_levels(&wishes, change.controller_incarnation, draft);
        }
        const RESULTS_UNTIL: i16 = 1;
        let asked = request.feature_updates.iter().filter(|_| change.version <= RESULTS_UNTIL);
        let results = asked.map(|update| UpdatableFeatureResult {
            feature: update.feature.clone(),
            error_code: ErrorCode::NONE,
            error_message: Some("NONE".to_string()),
        });
        UpdateFeaturesResponse { results: results.collect(), ..UpdateFeaturesResponse::default() }
    }

    /// The first wish that cannot be fulfilled, in Kafka's words.
    fn check_wishes(&self, wishes: &[Wish<'_>], image: &Image) -> Result<(), String> {
        let wished = |name| wishes.iter().find(|it| it.feature == name).map(|it| it.level);
        let metadata_level =
            wished(METADATA_VERSION).unwrap_or_else(|| MetadataVersion::of(image).level());
        wishes.iter().try_for_each(|wish| self.check_wish(wish, metadata_level, image))
    }

    fn check_wish(
        &self,
        wish: &Wish<'_>,
        metadata_level: i16,
        image: &Image,
    ) -> Result<(), String> {
        let &Wish { feature: name, level, upgrade_type } = wish;
        let invalid = |reason: &str| {
            Err(format!("Invalid update version {level} for feature {name}. {reason}"))
        };
        if upgrade_type == UpgradeType::Unknown {
            return invalid("The controller does not support the given upgrade type.");
        }
        if level < 0 {
            return invalid("A feature version cannot be less than 0.");
        }
        let here = format!("Local controller {}", self.config.node_id);
        let feature = FEATURES.iter().find(|feature| feature.name == name);
        match feature {
            None if level > 0 => return invalid(&format!("{here} does not support this feature.")),
            None => return invalid(&format!("Feature {name} not found.")),
            Some(Feature { min, max, .. }) if !(*min..=*max).contains(&level) => {
                return invalid(&format!("{here} only supports versions {min}-{max}"));
            }
            Some(_) => {}
        }
        let present = present_level(name, image);
        if level < present && upgrade_type == UpgradeType::Upgrade {
            return invalid(
                "Can't downgrade the version of this feature without setting the upgrade type to \
                 either safe or unsafe downgrade.",
            );
        }
        if level > present && upgrade_type != UpgradeType::Upgrade {
            return invalid("Can't downgrade to a newer version.");
        }
        match name {
            METADATA_VERSION => check_metadata_version(present, level, upgrade_type),
            KRAFT_VERSION if level < present => {
                invalid("Can't downgrade the version of this feature.")
            }
            KRAFT_VERSION if level > present && self.own_directory_id().is_none() => {
                invalid("The directory of the metadata log has no id.")
            }
            ELR_VERSION if level > 0 && metadata_level < MetadataVersion::ELR.level() => {
                let needed = MetadataVersion::ELR.level();
                invalid(&format!(
                    "{ELR_VERSION} could not be set to {level} because it depends on \
                     {METADATA_VERSION} level {needed}"
                ))
            }
            _ => Ok(()),
        }
    }

    fn draft_levels(&self, wishes: &[Wish<'_>], controller: Uuid, draft: &mut Draft) {
        let is_raised = |wish: &&Wish<'_>| {
            wish.feature == KRAFT_VERSION && draft.image().kraft_version < wish.level
        };
        if let Some(wish) = wishes.iter().find(is_raised) {
            let level = KRaftVersionRecord { version: 0, kraft_version: wish.level };
            let voters = self.own_voters();
            draft.push_control(&[
                ControlRecord::KRaftVersion(level),
                ControlRecord::KRaftVoters(voters),
            ]);
        }
        let before = MetadataVersion::of(draft.image());
        let mut records = Vec::new();
        if wishes.iter().any(|wish| wish.feature == ELR_VERSION && wish.level > 0) {
            records.extend(self.min_insync_records(draft.image()));
        }
        let mut records: Vec<_> = records.into_iter().map(|record| (record.into(), 0)).collect();
        for wish in wishes.iter().filter(|wish| wish.feature != KRAFT_VERSION) {
            let (name, feature_level) = (wish.feature.to_string(), wish.level);
            records.push((FeatureLevelRecord { name, feature_level }.into(), 0));
        }
        draft.push_whole(records);
        self.draft_registrations_since(before, controller, draft);
    }

    /// With eligible leader replicas `min.insync.replicas` is a setting of the cluster, and not of single brokers
    /// (`ConfigurationControlManager.maybeGenerateElrSafetyRecords`).
    fn min_insync_records(&self, image: &Image) -> Vec<ConfigRecord> {
        let mut records = Vec::new();
        let is_set = |resource: &ConfigResource| {
            image.configs.get(resource).is_some_and(|set| set.contains_key(MIN_INSYNC_REPLICAS))
        };
        if !is_set(&ConfigResource::broker_default()) {
            records.push(min_insync_setting(self.config.topic_defaults.min_insync_replicas));
        }
        let of_one_broker = image.configs.keys().filter(|resource| {
            resource.resource_type == ConfigResource::BROKER && !resource.name.is_empty()
        });
        records.extend(of_one_broker.filter(|resource| is_set(resource)).map(|resource| {
            ConfigRecord {
                resource_type: resource.resource_type,
                resource_name: resource.name.clone(),
                name: MIN_INSYNC_REPLICAS.to_string(),
                value: None,
            }
        }));
        records
    }
}

/// What is wished for, each feature once: of one that stands there twice the last counts.
fn wishes(request: &UpdateFeaturesRequest) -> Vec<Wish<'_>> {
    let mut places = BTreeMap::new();
    let mut wishes: Vec<Wish<'_>> = Vec::new();
    for update in &request.feature_updates {
        let wish = Wish {
            feature: &update.feature,
            level: update.max_version_level,
            upgrade_type: UpgradeType::from_code(update.upgrade_type),
        };
        let place = *places.entry(wish.feature).or_insert(wishes.len());
        match wishes.get_mut(place) {
            Some(before) => *before = wish,
            None => wishes.push(wish),
        }
    }
    wishes
}

fn present_level(name: &str, image: &Image) -> i16 {
    match name {
        METADATA_VERSION => MetadataVersion::of(image).level(),
        KRAFT_VERSION => image.kraft_version,
        _ => image.features.get(name).copied().unwrap_or(0),
    }
}

/// A level may be lowered where no record has changed its form since.
fn check_metadata_version(
    present: i16,
    level: i16,
    upgrade_type: UpgradeType,
) -> Result<(), String> {
    let changes = MetadataVersion::at(present).changes_records_since(MetadataVersion::at(level));
    if !changes {
        return Ok(());
    }
    let reason = if upgrade_type == UpgradeType::UnsafeDowngrade {
        "Unsafe metadata downgrade is not supported in this version."
    } else {
        "Refusing to perform the requested downgrade because it might delete metadata information."
    };
    Err(format!("Unsupported metadata.version downgrade from {present} to {level}. {reason}"))
}
