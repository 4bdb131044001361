//! Access rules and logins.

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::create_acls::{
    AclCreation, AclCreationResult, CreateAclsRequest, CreateAclsResponse,
};
use klamm_core::api::delete_acls::{
    DeleteAclsFilter, DeleteAclsFilterResult, DeleteAclsMatchingAcl, DeleteAclsRequest,
    DeleteAclsResponse,
};
use klamm_core::api::describe_acls::{
    AclDescription, DescribeAclsRequest, DescribeAclsResource, DescribeAclsResponse,
};
use klamm_core::api::sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use klamm_core::api::sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};
use klamm_core::error_code::ErrorCode;

use crate::snapshot_versions;

#[test]
fn describe_acls() {
    let request = DescribeAclsRequest {
        resource_type_filter: 2,
        resource_name_filter: Some("topic".to_owned()),
        pattern_type_filter: 3,
        principal_filter: Some("User:a".to_owned()),
        host_filter: Some("*".to_owned()),
        operation: 1,
        permission_type: 1,
    };
    let rule = AclDescription {
        principal: "User:a".to_owned(),
        host: "*".to_owned(),
        operation: 3,
        permission_type: 3,
    };
    let resource = DescribeAclsResource {
        resource_type: 2,
        resource_name: "topic".to_owned(),
        pattern_type: 3,
        acls: vec![rule],
    };
    let answer =
        DescribeAclsResponse { resources: vec![resource], ..DescribeAclsResponse::default() };
    snapshot_versions("every_field", ApiKey::DESCRIBE_ACLS, &request, &answer);
    let refused = DescribeAclsResponse {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some("no authorizer".to_owned()),
        ..DescribeAclsResponse::default()
    };
    let any = DescribeAclsRequest::default();
    snapshot_versions("nulls_and_empties", ApiKey::DESCRIBE_ACLS, &any, &refused);
}

#[test]
fn create_acls() {
    let rule = AclCreation {
        resource_type: 2,
        resource_name: "topic".to_owned(),
        resource_pattern_type: 3,
        principal: "User:a".to_owned(),
        host: "*".to_owned(),
        operation: 3,
        permission_type: 3,
    };
    let refused = AclCreationResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some("no authorizer".to_owned()),
    };
    let request = CreateAclsRequest { creations: vec![rule] };
    let answer = CreateAclsResponse { throttle_time_ms: 0, results: vec![refused] };
    snapshot_versions("every_field", ApiKey::CREATE_ACLS, &request, &answer);
    let (none, nothing) = (CreateAclsRequest::default(), CreateAclsResponse::default());
    snapshot_versions("nulls_and_empties", ApiKey::CREATE_ACLS, &none, &nothing);
}

#[test]
fn delete_acls() {
    let filter = DeleteAclsFilter {
        resource_type_filter: 2,
        resource_name_filter: Some("topic".to_owned()),
        pattern_type_filter: 3,
        principal_filter: Some("User:a".to_owned()),
        host_filter: None,
        operation: 1,
        permission_type: 1,
    };
    let rule = DeleteAclsMatchingAcl {
        error_code: ErrorCode::NONE,
        error_message: None,
        resource_type: 2,
        resource_name: "topic".to_owned(),
        pattern_type: 3,
        principal: "User:a".to_owned(),
        host: "*".to_owned(),
        operation: 3,
        permission_type: 3,
    };
    let met = DeleteAclsFilterResult { matching_acls: vec![rule], ..Default::default() };
    let refused = DeleteAclsFilterResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some("no authorizer".to_owned()),
        ..Default::default()
    };
    let request = DeleteAclsRequest { filters: vec![filter] };
    let answer = DeleteAclsResponse { throttle_time_ms: 0, filter_results: vec![met, refused] };
    snapshot_versions("every_field", ApiKey::DELETE_ACLS, &request, &answer);
    let (none, nothing) = (DeleteAclsRequest::default(), DeleteAclsResponse::default());
    snapshot_versions("nulls_and_empties", ApiKey::DELETE_ACLS, &none, &nothing);
}

#[test]
fn sasl_handshake() {
    let request = SaslHandshakeRequest { mechanism: "PLAIN".to_owned() };
    let answer =
        SaslHandshakeResponse { error_code: ErrorCode::NONE, mechanisms: vec!["PLAIN".to_owned()] };
    snapshot_versions("every_field", ApiKey::SASL_HANDSHAKE, &request, &answer);
    let refused = SaslHandshakeResponse {
        error_code: ErrorCode::ILLEGAL_SASL_STATE,
        ..SaslHandshakeResponse::default()
    };
    let empty = SaslHandshakeRequest::default();
    snapshot_versions("nulls_and_empties", ApiKey::SASL_HANDSHAKE, &empty, &refused);
}

#[test]
fn sasl_authenticate() {
    let request = SaslAuthenticateRequest { auth_bytes: Bytes::from_static(b"secret") };
    let answer = SaslAuthenticateResponse {
        auth_bytes: Bytes::from_static(b"fine"),
        session_lifetime_ms: 60_000,
        ..SaslAuthenticateResponse::default()
    };
    snapshot_versions("every_field", ApiKey::SASL_AUTHENTICATE, &request, &answer);
    let refused = SaslAuthenticateResponse {
        error_code: ErrorCode::ILLEGAL_SASL_STATE,
        error_message: Some("too late".to_owned()),
        ..SaslAuthenticateResponse::default()
    };
    let empty = SaslAuthenticateRequest::default();
    snapshot_versions("nulls_and_empties", ApiKey::SASL_AUTHENTICATE, &empty, &refused);
}
