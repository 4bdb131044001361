//! Settings, told and changed.

use klamm_core::api::ApiKey;
use klamm_core::api::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
    AlterableConfig,
};
use klamm_core::api::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};
use klamm_core::api::incremental_alter_configs as incremental;
use klamm_core::api::list_config_resources::{
    ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use klamm_core::error_code::ErrorCode;

use crate::snapshot_versions;

#[test]
fn describe_configs() {
    let resource = |resource_name: &str, configuration_keys| DescribeConfigsResource {
        resource_type: 2,
        resource_name: resource_name.to_owned(),
        configuration_keys,
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource("topic", Some(vec!["retention.ms".to_owned()]))],
        include_synonyms: true,
        include_documentation: true,
    };
    let synonym = |name: &str, value: &str, source| DescribeConfigsSynonym {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        source,
    };
    let setting = DescribeConfigsResourceResult {
        name: "retention.ms".to_owned(),
        value: Some("5000".to_owned()),
        read_only: true,
        config_source: 1,
        is_sensitive: true,
        synonyms: vec![synonym("retention.ms", "5000", 1), synonym("log.retention.ms", "6000", 4)],
        config_type: 5,
        documentation: Some("How long.".to_owned()),
    };
    let described = DescribeConfigsResult {
        error_code: ErrorCode::NONE,
        error_message: Some(String::new()),
        resource_type: 2,
        resource_name: "topic".to_owned(),
        configs: vec![setting],
    };
    let answer = DescribeConfigsResponse { throttle_time_ms: 0, results: vec![described] };
    snapshot_versions("every_field", ApiKey::DESCRIBE_CONFIGS, &request, &answer);
    let request = DescribeConfigsRequest {
        resources: vec![resource("", None)],
        ..DescribeConfigsRequest::default()
    };
    let hidden = DescribeConfigsResourceResult {
        name: "ssl.key.password".to_owned(),
        config_source: 5,
        documentation: None,
        ..DescribeConfigsResourceResult::default()
    };
    let results =
        [(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, vec![]), (ErrorCode::NONE, vec![hidden])];
    let results = results.map(|(error_code, configs)| DescribeConfigsResult {
        error_code,
        configs,
        ..DescribeConfigsResult::default()
    });
    let answer = DescribeConfigsResponse { throttle_time_ms: 0, results: results.into() };
    snapshot_versions("nulls_and_empties", ApiKey::DESCRIBE_CONFIGS, &request, &answer);
}

#[test]
fn alter_configs() {
    let config = |name: &str, value: Option<&str>| AlterableConfig {
        name: name.to_owned(),
        value: value.map(str::to_owned),
    };
    let request = AlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: 2,
            resource_name: "topic".to_owned(),
            configs: vec![config("retention.ms", Some("5000")), config("flush.ms", None)],
        }],
        validate_only: true,
    };
    let response = |error_code, message: Option<&str>| AlterConfigsResourceResponse {
        error_code,
        error_message: message.map(str::to_owned),
        resource_type: 2,
        resource_name: "topic".to_owned(),
    };
    let answer = AlterConfigsResponse {
        throttle_time_ms: 0,
        responses: vec![
            response(ErrorCode::INVALID_CONFIG, Some("Unknown topic config name: no.such")),
            response(ErrorCode::NONE, None),
        ],
    };
    snapshot_versions("every_field", ApiKey::ALTER_CONFIGS, &request, &answer);
    let nothing = (AlterConfigsRequest::default(), AlterConfigsResponse::default());
    snapshot_versions("nulls_and_empties", ApiKey::ALTER_CONFIGS, &nothing.0, &nothing.1);
}

#[test]
fn incremental_alter_configs() {
    let config = |name: &str, config_operation, value: Option<&str>| incremental::AlterableConfig {
        name: name.to_owned(),
        config_operation,
        value: value.map(str::to_owned),
    };
    let request = incremental::IncrementalAlterConfigsRequest {
        resources: vec![incremental::AlterConfigsResource {
            resource_type: 4,
            resource_name: "1".to_owned(),
            configs: vec![
                config("log.cleanup.policy", 2, Some("compact")),
                config("log.retention.ms", 1, None),
            ],
        }],
        validate_only: true,
    };
    let response = |error_code, message: Option<&str>| incremental::AlterConfigsResourceResponse {
        error_code,
        error_message: message.map(str::to_owned),
        resource_type: 4,
        resource_name: "1".to_owned(),
    };
    let words = "Cannot update these configs dynamically: [num.partitions]";
    let answer = incremental::IncrementalAlterConfigsResponse {
        throttle_time_ms: 0,
        responses: vec![
            response(ErrorCode::INVALID_REQUEST, Some(words)),
            response(ErrorCode::NONE, None),
        ],
    };
    snapshot_versions("every_field", ApiKey::INCREMENTAL_ALTER_CONFIGS, &request, &answer);
    let nothing = (
        incremental::IncrementalAlterConfigsRequest::default(),
        incremental::IncrementalAlterConfigsResponse::default(),
    );
    let key = ApiKey::INCREMENTAL_ALTER_CONFIGS;
    snapshot_versions("nulls_and_empties", key, &nothing.0, &nothing.1);
}

#[test]
fn list_config_resources() {
    let request = ListConfigResourcesRequest { resource_types: vec![2, 16] };
    let resource = |resource_name: &str, resource_type| ConfigResource {
        resource_name: resource_name.to_owned(),
        resource_type,
    };
    let answer = ListConfigResourcesResponse {
        throttle_time_ms: 0,
        error_code: ErrorCode::NONE,
        config_resources: vec![resource("topic", 2), resource("subscription", 16)],
    };
    // The first version has no types.
    let plain = ListConfigResourcesRequest::default();
    let unknown = ListConfigResourcesResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        ..ListConfigResourcesResponse::default()
    };
    snapshot_versions("every_field", ApiKey::LIST_CONFIG_RESOURCES, &request, &answer);
    snapshot_versions("nulls_and_empties", ApiKey::LIST_CONFIG_RESOURCES, &plain, &unknown);
}
