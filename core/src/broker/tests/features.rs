//! Levels of features: what Kafka 4.3.1 answered on a cluster of `metadata.version` 19, and what it wrote.

use super::*;
use crate::api::update_features::{
    FeatureUpdateKey, UpdateFeaturesRequest, UpdateFeaturesResponse,
};
use crate::broker::image::ConfigResource;
use crate::records::{ConfigRecord, FeatureLevelRecord};

const UPGRADE: i8 = 1;
const SAFE: i8 = 2;
const UNSAFE: i8 = 3;
const METADATA_VERSION: &str = "metadata.version";
const ELR: &str = "eligible.leader.replicas.version";

/// A cluster of this level, without voters in records; the client is connected.
fn at_level(level: i16, more: impl IntoIterator<Item = MetadataRecord>) -> World {
    let mut records = topic(1);
    let name = METADATA_VERSION.to_string();
    records.push(FeatureLevelRecord { name, feature_level: level }.into());
    records.extend(more);
    reopened(disk(&records))
}

fn reopened(disk: Disk) -> World {
    World::serving(disk, config(&["/data"]))
}

impl World {
    fn update(
        &mut self,
        version: i16,
        updates: &[(&str, i16, i8)],
        validate_only: bool,
    ) -> UpdateFeaturesResponse {
        let update = |(feature, level, upgrade_type): &(&str, i16, i8)| FeatureUpdateKey {
            feature: feature.to_string(),
            max_version_level: *level,
            allow_downgrade: false,
            upgrade_type: *upgrade_type,
        };
        let feature_updates = updates.iter().map(update).collect();
        let request = UpdateFeaturesRequest { timeout_ms: 0, feature_updates, validate_only };
        self.ask(RequestBody::UpdateFeatures { version, request });
        self.settle();
        match self.responses.pop() {
            Some((_, ResponseBody::UpdateFeatures(answer))) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn upgrade(&mut self, updates: &[(&str, i16, i8)]) {
        assert_eq!(self.update(2, updates, false), UpdateFeaturesResponse::default());
    }

    fn level(&self, name: &str) -> Option<i16> {
        self.broker.image().features.get(name).copied()
    }

    fn min_insync(&self, resource: &ConfigResource) -> Option<&str> {
        let settings = self.broker.image().configs.get(resource)?;
        settings.get("min.insync.replicas").map(String::as_str)
    }
}

#[test]
fn what_cannot_be_is_refused_in_kafkas_words() {
    let not_supported = "Local controller 1 does not support this feature.";
    let downgrade = "Can't downgrade the version of this feature without setting the upgrade type \
                     to either safe or unsafe downgrade.";
    let depends = "eligible.leader.replicas.version could not be set to 1 because it depends on \
                   metadata.version level 23";
    let metadata_levels = "Local controller 1 only supports versions 7-30";
    let negative = "A feature version cannot be less than 0.";
    let upgrade_type = "The controller does not support the given upgrade type.";
    for (feature, level, kind, reason) in [
        ("nope", 1, UPGRADE, not_supported),
        ("nope", 0, SAFE, "Feature nope not found."),
        ("nope", -1, SAFE, negative),
        ("", 1, UPGRADE, not_supported),
        ("group.version", 2, UPGRADE, "Local controller 1 only supports versions 0-1"),
        ("kraft.version", 2, UPGRADE, "Local controller 1 only supports versions 0-1"),
        (METADATA_VERSION, 31, UPGRADE, metadata_levels),
        (METADATA_VERSION, 6, SAFE, metadata_levels),
        (METADATA_VERSION, 0, UNSAFE, metadata_levels),
        (METADATA_VERSION, -3, UNSAFE, negative),
        (METADATA_VERSION, 20, 0, upgrade_type),
        (METADATA_VERSION, 20, 4, upgrade_type),
        (METADATA_VERSION, 18, UPGRADE, downgrade),
        (METADATA_VERSION, 20, SAFE, "Can't downgrade to a newer version."),
        (ELR, 1, UPGRADE, depends),
    ] {
        let mut world = at_level(19, []);
        let answer = world.update(2, &[(feature, level, kind)], false);
        let expected = alloc::format!(
            "The update failed for all features since the following feature had an error: Invalid \
             update version {level} for feature {feature}. {reason}"
        );
        assert_eq!(answer.error_message, Some(expected));
        assert_eq!(answer.error_code, ErrorCode::INVALID_UPDATE_VERSION);
        assert_eq!(world.level(METADATA_VERSION), Some(19));
    }
}

#[test]
fn level_falls_only_where_records_stay_the_same() {
    let mut world = at_level(19, []);
    let told = |reason: &str| {
        Some(alloc::format!(
            "The update failed for all features since the following feature had an error: \
             Unsupported metadata.version downgrade from 19 to 16. {reason}"
        ))
    };
    let lost = "Refusing to perform the requested downgrade because it might delete metadata \
                information.";
    let answer = world.update(2, &[(METADATA_VERSION, 16, SAFE)], false);
    assert_eq!(answer.error_message, told(lost));
    let answer = world.update(2, &[(METADATA_VERSION, 16, UNSAFE)], false);
    let unsupported = "Unsafe metadata downgrade is not supported in this version.";
    assert_eq!(answer.error_message, told(unsupported));
    for kind in [SAFE, UNSAFE] {
        assert_eq!(world.update(2, &[(METADATA_VERSION, 18, kind)], true).error_message, None);
    }
    world.upgrade(&[(METADATA_VERSION, 18, SAFE)]);
    assert_eq!(world.level(METADATA_VERSION), Some(18));
}

#[test]
fn all_levels_change_or_none_and_only_when_they_are_meant() {
    let mut world = at_level(19, []);
    let offset = world.broker.image().metadata_offset;
    let (group, share) = ("group.version", "share.version");
    assert_eq!(world.update(2, &[(group, 1, UPGRADE)], true), UpdateFeaturesResponse::default());
    let answer = world.update(1, &[(group, 1, UPGRADE), ("nope", 1, UPGRADE)], false);
    assert_eq!(answer.error_code, ErrorCode::INVALID_UPDATE_VERSION);
    assert_eq!(answer.results, []);
    world.upgrade(&[]);
    assert_eq!(world.broker.image().metadata_offset, offset, "nothing is written");

    // Of one that stands there twice the last counts.
    let asked = &[(group, 0, UPGRADE), (share, 1, UPGRADE), (group, 1, UPGRADE)];
    let answer = world.update(1, asked, false);
    assert_eq!((answer.error_code, answer.error_message), (ErrorCode::NONE, None));
    let results: Vec<_> = answer
        .results
        .iter()
        .map(|it| (it.feature.as_str(), it.error_code, it.error_message.as_deref()))
        .collect();
    let fine = |name| (name, ErrorCode::NONE, Some("NONE"));
    assert_eq!(results, [fine(group), fine(share), fine(group)]);
    assert_eq!((world.level(group), world.level(share)), (Some(1), Some(1)));
    assert_eq!(world.broker.image().metadata_offset, offset + 2);

    world.upgrade(&[(group, 0, SAFE)]);
    assert_eq!(world.level(group), None);
    let world = reopened(world.disk);
    assert_eq!((world.level(group), world.level(share)), (None, Some(1)));
}

#[test]
fn rising_level_brings_the_registrations_that_it_asks_for() {
    let mut world = at_level(14, []);
    let before = world.broker.image().registration().expect("it is registered").clone();
    assert!(before.log_dirs.is_empty() && before.cordoned_log_dirs.is_none());
    let epoch = before.broker_epoch;
    let end = |world: &World| world.broker.image().metadata_offset;

    // The level and a controller's registration; the level, and this broker's; both and what is cordoned.
    let at_14 = end(&world);
    world.upgrade(&[(METADATA_VERSION, 15, UPGRADE)]);
    assert_eq!(end(&world), at_14 + 2);
    world.upgrade(&[(METADATA_VERSION, 17, UPGRADE)]);
    assert_eq!(end(&world), at_14 + 4);
    let registration = world.broker.image().registration().expect("it is registered").clone();
    assert_eq!(registration.log_dirs, [Uuid([1; 16])]);
    let same = (registration.incarnation_id, registration.broker_epoch, registration.fenced);
    assert_eq!(same, (before.incarnation_id, epoch, false));
    world.upgrade(&[(METADATA_VERSION, 30, UPGRADE)]);
    assert_eq!(end(&world), at_14 + 6);
    let registration = world.broker.image().registration().expect("it is registered");
    assert_eq!(registration.cordoned_log_dirs.as_deref(), Some(&[][..]));

    // Records are written as the new level has them, and a clean stop is still one.
    world.broker.handle_shutdown(world.now);
    world.drain();
    world.settle();
    assert_eq!(world.stopped, Some(Exit::Clean));
    let world = reopened(world.disk);
    assert_eq!(world.level(METADATA_VERSION), Some(30));
    assert_eq!(world.broker.image().topics["t"].partitions[&0].leader, 1);
}

#[test]
fn eligible_leader_replicas_make_min_insync_a_setting_of_the_cluster() {
    let own = ConfigResource::broker(1);
    let setting = ConfigRecord {
        resource_type: own.resource_type,
        resource_name: own.name.clone(),
        name: "min.insync.replicas".to_string(),
        value: Some("2".to_string()),
    };
    let mut world = at_level(19, [setting.into()]);
    assert_eq!(world.min_insync(&own), Some("2"));
    // The level that it depends on may rise with it.
    world.upgrade(&[(ELR, 1, UPGRADE), (METADATA_VERSION, 30, UPGRADE)]);
    assert_eq!((world.level(ELR), world.level(METADATA_VERSION)), (Some(1), Some(30)));
    assert_eq!(world.min_insync(&own), None);
    assert_eq!(world.min_insync(&ConfigResource::broker_default()), Some("1"));
    // What is set stays.
    let offset = world.broker.image().metadata_offset;
    world.upgrade(&[(ELR, 0, SAFE)]);
    world.upgrade(&[(ELR, 1, UPGRADE)]);
    assert_eq!(world.broker.image().metadata_offset, offset + 2);
}

#[test]
fn quorum_of_static_voters_gets_them_into_records() {
    let mut world = at_level(19, []);
    assert!(world.broker.image().voters.is_none());
    let kraft = "kraft.version";
    assert_eq!(world.update(2, &[(kraft, 1, UPGRADE)], true).error_code, ErrorCode::NONE);
    assert_eq!(world.broker.image().kraft_version, 0);
    world.upgrade(&[(kraft, 1, UPGRADE)]);
    let image = world.broker.image();
    assert_eq!(image.kraft_version, 1);
    let voters = image.voters.as_ref().expect("voters").voters.clone();
    let [voter] = &voters[..] else { panic!("{voters:?}") };
    assert_eq!((voter.voter_id, voter.voter_directory_id), (1, Uuid([1; 16])));
    let offset = image.metadata_offset;
    world.upgrade(&[(kraft, 1, UPGRADE)]);
    assert_eq!(world.broker.image().metadata_offset, offset, "it is there already");
    let told = |world: &mut World, kind| {
        let message = world.update(2, &[(kraft, 0, kind)], false).error_message;
        message.and_then(|text| text.split("kraft.version. ").nth(1).map(ToString::to_string))
    };
    let fixed = Some("Can't downgrade the version of this feature.".to_string());
    assert_eq!((told(&mut world, SAFE), told(&mut world, UNSAFE)), (fixed.clone(), fixed));

    let world = reopened(world.disk);
    assert_eq!(world.broker.image().kraft_version, 1);
    assert_eq!(world.broker.image().voters.as_ref().expect("voters").voters, voters);
    let state = world.disk.get("/data/__cluster_metadata-0/quorum-state").expect("a file");
    let state = core::str::from_utf8(state).expect("text");
    assert!(state.contains("\"data_version\":1"), "{state}");
}
