//! Access rules and logins.

use kafka_protocol::messages as theirs;
use klamm_core::api;
use klamm_core::rng::Rng;

use super::Same;
use crate::arbitrary::Arbitrary;

structures! { api::sasl_handshake => theirs::sasl_handshake_request;
    SaslHandshakeRequest {
        mechanism
    }
}

structures! { api::sasl_handshake => theirs::sasl_handshake_response;
    SaslHandshakeResponse {
        error_code, mechanisms
    }
}

structures! { api::describe_acls => theirs::describe_acls_request;
    DescribeAclsRequest {
        resource_type_filter, resource_name_filter, pattern_type_filter, principal_filter, host_filter, operation, permission_type
    }
}

structures! { api::describe_acls => theirs::describe_acls_response;
    DescribeAclsResponse {
        throttle_time_ms, error_code, error_message, resources
    }
    DescribeAclsResource {
        resource_type, resource_name, pattern_type, acls
    }
    AclDescription {
        principal, host, operation, permission_type
    }
}

structures! { api::create_acls => theirs::create_acls_request;
    CreateAclsRequest {
        creations
    }
    AclCreation {
        resource_type, resource_name, resource_pattern_type, principal, host, operation, permission_type
    }
}

structures! { api::create_acls => theirs::create_acls_response;
    CreateAclsResponse {
        throttle_time_ms, results
    }
    AclCreationResult {
        error_code, error_message
    }
}

structures! { api::delete_acls => theirs::delete_acls_request;
    DeleteAclsRequest {
        filters
    }
    DeleteAclsFilter {
        resource_type_filter, resource_name_filter, pattern_type_filter, principal_filter, host_filter, operation, permission_type
    }
}

structures! { api::delete_acls => theirs::delete_acls_response;
    DeleteAclsResponse {
        throttle_time_ms, filter_results
    }
    DeleteAclsFilterResult {
        error_code, error_message, matching_acls
    }
    DeleteAclsMatchingAcl {
        error_code, error_message, resource_type, resource_name, pattern_type, principal, host, operation, permission_type
    }
}

structures! { api::sasl_authenticate => theirs::sasl_authenticate_request;
    SaslAuthenticateRequest {
        auth_bytes
    }
}

structures! { api::sasl_authenticate => theirs::sasl_authenticate_response;
    SaslAuthenticateResponse {
        error_code, error_message, auth_bytes, session_lifetime_ms
    }
}
