//! Records about who may do what, and how much.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::codec::message;
use crate::ids::Uuid;

message! {
    /// An access control entry.
    pub struct AccessControlEntryRecord (versions: 0..=0, flexible: 0..) {
        /// Its id.
        id: Uuid { versions: 0.. },
        /// The type of resource (`ResourceType`).
        resource_type: i8 { versions: 0.. },
        /// The resource.
        resource_name: String { versions: 0.. },
        /// How the name is matched (`PatternType`).
        pattern_type: i8 { versions: 0.. },
        /// Who.
        principal: String { versions: 0.. },
        /// From where.
        host: String { versions: 0.. },
        /// What (`AclOperation`).
        operation: i8 { versions: 0.. },
        /// Allowed or denied (`AclPermissionType`).
        permission_type: i8 { versions: 0.. },
    }

    /// An access control entry is removed.
    pub struct RemoveAccessControlEntryRecord (versions: 0..=0, flexible: 0..) {
        /// Its id.
        id: Uuid { versions: 0.. },
    }

    /// A user's SCRAM credential.
    pub struct UserScramCredentialRecord (versions: 0..=0, flexible: 0..) {
        /// The user.
        name: String { versions: 0.. },
        /// 1 SCRAM-SHA-256, 2 SCRAM-SHA-512.
        mechanism: i8 { versions: 0.. },
        /// The salt.
        salt: Bytes { versions: 0.. },
        /// What the broker checks the client with.
        stored_key: Bytes { versions: 0.. },
        /// What the client checks the broker with.
        server_key: Bytes { versions: 0.. },
        /// Rounds of the key derivation.
        iterations: i32 { versions: 0.. },
    }

    /// A user's SCRAM credential is removed.
    pub struct RemoveUserScramCredentialRecord (versions: 0..=0, flexible: 0..) {
        /// The user.
        name: String { versions: 0.. },
        /// 1 SCRAM-SHA-256, 2 SCRAM-SHA-512.
        mechanism: i8 { versions: 0.. },
    }

    /// A delegation token.
    pub struct DelegationTokenRecord (versions: 0..=0, flexible: 0..) {
        /// Whom it stands for.
        owner: String { versions: 0.. },
        /// Who asked for it.
        requester: String { versions: 0.. },
        /// Who may renew it.
        renewers: Vec<String> { versions: 0.. },
        /// When it was issued, in milliseconds.
        issue_timestamp: i64 { versions: 0.. },
        /// When it can no longer be renewed, in milliseconds.
        max_timestamp: i64 { versions: 0.. },
        /// When it must be renewed next, in milliseconds.
        expiration_timestamp: i64 { versions: 0.. },
        /// Its id.
        token_id: String { versions: 0.. },
    }

    /// A delegation token is removed.
    pub struct RemoveDelegationTokenRecord (versions: 0..=0, flexible: 0..) {
        /// Its id.
        token_id: String { versions: 0.. },
    }

    /// A quota is set or removed.
    pub struct ClientQuotaRecord (versions: 0..=0, flexible: 0..) {
        /// Whom it limits.
        entity: Vec<EntityData> { versions: 0.. },
        /// Which quota.
        key: String { versions: 0.. },
        /// Its value, unless it is removed.
        value: f64 { versions: 0.. },
        /// It is removed.
        remove: bool { versions: 0.. },
    }

    /// A part of whom a quota limits.
    pub struct EntityData {
        /// `user`, `client-id` or `ip`.
        entity_type: String { versions: 0.. },
        /// Which; null for the default.
        entity_name: Option<String> { versions: 0.., nullable: 0.., default: Some(String::new()) },
    }
}
