//! What is answered about access rules and logins where there are none: no authorizer (`AclApis`), and listeners
//! without SASL (`KafkaApis.handleSaslHandshakeRequest`). Rules that another node's authorizer left in the metadata log
//! stay there.

use alloc::string::ToString;

use crate::api::create_acls::{AclCreationResult, CreateAclsRequest, CreateAclsResponse};
use crate::api::delete_acls::{DeleteAclsFilterResult, DeleteAclsRequest, DeleteAclsResponse};
use crate::api::describe_acls::DescribeAclsResponse;
use crate::api::sasl_authenticate::SaslAuthenticateResponse;
use crate::api::sasl_handshake::SaslHandshakeResponse;
use crate::error_code::ErrorCode;
use crate::query::Words;

const NO_AUTHORIZER: &str = "No Authorizer is configured.";

/// Answers a DescribeAcls.
pub fn describe_acls() -> DescribeAclsResponse {
    DescribeAclsResponse {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some("No Authorizer is configured on the broker".to_string()),
        ..DescribeAclsResponse::default()
    }
}

/// Answers a CreateAcls.
pub fn create_acls(request: &CreateAclsRequest) -> CreateAclsResponse {
    let mut words = Words::of(request.creations.len());
    let refused = request.creations.iter().map(|_| AclCreationResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: words.admit(Some(NO_AUTHORIZER.to_string())),
    });
    CreateAclsResponse { throttle_time_ms: 0, results: refused.collect() }
}

/// Answers a DeleteAcls.
pub fn delete_acls(request: &DeleteAclsRequest) -> DeleteAclsResponse {
    let mut words = Words::of(request.filters.len());
    let refused = request.filters.iter().map(|_| DeleteAclsFilterResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: words.admit(Some(NO_AUTHORIZER.to_string())),
        ..DeleteAclsFilterResult::default()
    });
    DeleteAclsResponse { throttle_time_ms: 0, filter_results: refused.collect() }
}

/// Answers a SaslHandshake.
pub fn sasl_handshake() -> SaslHandshakeResponse {
    SaslHandshakeResponse {
        error_code: ErrorCode::ILLEGAL_SASL_STATE,
        ..SaslHandshakeResponse::default()
    }
}

/// Answers a SaslAuthenticate.
pub fn sasl_authenticate() -> SaslAuthenticateResponse {
    let message = "SaslAuthenticate request received after successful authentication";
    SaslAuthenticateResponse {
        error_code: ErrorCode::ILLEGAL_SASL_STATE,
        error_message: Some(message.to_string()),
        ..SaslAuthenticateResponse::default()
    }
}
