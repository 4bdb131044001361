//! Settings.

use kafka_protocol::messages as theirs;
use klamm_core::api;
use klamm_core::rng::Rng;

use super::Same;
use crate::arbitrary::Arbitrary;

structures! { api::describe_configs => theirs::describe_configs_request;
    DescribeConfigsRequest { resources, include_synonyms, include_documentation }
    DescribeConfigsResource { resource_type, resource_name, configuration_keys }
}

structures! { api::describe_configs => theirs::describe_configs_response;
    DescribeConfigsResponse { throttle_time_ms, results }
    DescribeConfigsResult { error_code, error_message, resource_type, resource_name, configs }
    DescribeConfigsResourceResult { name, value, read_only, config_source, is_sensitive, synonyms, config_type, documentation }
    DescribeConfigsSynonym { name, value, source }
}

structures! { api::alter_configs => theirs::alter_configs_request;
    AlterConfigsRequest { resources, validate_only }
    AlterConfigsResource { resource_type, resource_name, configs }
    AlterableConfig { name, value }
}

structures! { api::alter_configs => theirs::alter_configs_response;
    AlterConfigsResponse { throttle_time_ms, responses }
    AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
}

structures! { api::incremental_alter_configs => theirs::incremental_alter_configs_request;
    IncrementalAlterConfigsRequest { resources, validate_only }
    AlterConfigsResource { resource_type, resource_name, configs }
    AlterableConfig { name, config_operation, value }
}

structures! { api::incremental_alter_configs => theirs::incremental_alter_configs_response;
    IncrementalAlterConfigsResponse { throttle_time_ms, responses }
    AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
}

structures! { api::list_config_resources => theirs::list_config_resources_request;
    ListConfigResourcesRequest { resource_types }
}

structures! { api::list_config_resources => theirs::list_config_resources_response;
    ListConfigResourcesResponse { throttle_time_ms, error_code, config_resources }
    ConfigResource { resource_name, resource_type }
}
