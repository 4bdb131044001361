//! What an administrator asks for: topics, and what there is.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use klamm_core::api::ApiKey;
use klamm_core::api::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
};
use klamm_core::api::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use klamm_core::api::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use klamm_core::api::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use klamm_core::api::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use klamm_core::api::metadata::{MetadataRequest, MetadataResponse};
use klamm_core::codec::{Message, Reader};
use klamm_core::error_code::ErrorCode;
use klamm_core::frame::{read_response_header, write_request};

use crate::batches::header;
use crate::producers::read_frame;
use crate::session::{connect, lost};

const CREATE_VERSION: i16 = 7;
const DELETE_VERSION: i16 = 6;
const GROW_VERSION: i16 = 3;
const METADATA_VERSION: i16 = 12;
const LIST_OFFSETS_VERSION: i16 = 7;
const ALTER_VERSION: i16 = 1;

/// No answer may take this long.
const PATIENCE: Duration = Duration::from_mins(3);
const TIMEOUT_MS: i32 = 120_000;

/// Topics, and how many partitions each.
pub(crate) fn creation(topics: impl IntoIterator<Item = (String, i32)>) -> CreateTopicsRequest {
    let topic = |(name, num_partitions)| CreatableTopic {
        name,
        num_partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    CreateTopicsRequest {
        topics: topics.into_iter().map(topic).collect(),
        timeout_ms: TIMEOUT_MS,
        validate_only: false,
    }
}

/// A topic with settings of its own.
pub(crate) fn configured(
    topic: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) -> CreateTopicsRequest {
    let setting = |(key, value): &(&str, &str)| {
        let (name, value) = ((*key).to_owned(), Some((*value).to_owned()));
        CreatableTopicConfig { name, value }
    };
    let mut request = creation([(topic.to_owned(), partitions)]);
    request.topics[0].configs = settings.iter().map(setting).collect();
    request
}

/// What has settings.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resource<'a> {
    Topic(&'a str),
    AllBrokers,
}

/// Asks one thing after the other.
pub(crate) struct Admin(TcpStream);

impl Admin {
    pub(crate) fn connect(port: u16) -> Result<Self, String> {
        connect(port).map(Self)
    }

    /// All of the topics must be made.
    pub(crate) fn create(&mut self, request: &CreateTopicsRequest) -> Result<(), String> {
        let frame = self.ask(ApiKey::CREATE_TOPICS, CREATE_VERSION, request)?;
        let answer: CreateTopicsResponse = read(&frame, ApiKey::CREATE_TOPICS, CREATE_VERSION)?;
        let refused = answer.topics.iter().find(|topic| topic.error_code != ErrorCode::NONE);
        match refused {
            Some(topic) => Err(format!("a topic is not made: {topic:?}")),
            None if answer.topics.len() == request.topics.len() => Ok(()),
            None => Err(format!("{} topics are answered", answer.topics.len())),
        }
    }

    /// The topic must be there.
    pub(crate) fn delete(&mut self, topic: &str) -> Result<(), String> {
        let topic = DeleteTopicState { name: Some(topic.to_owned()), ..Default::default() };
        let request = DeleteTopicsRequest {
            topics: vec![topic],
            timeout_ms: TIMEOUT_MS,
            ..DeleteTopicsRequest::default()
        };
        let (key, version) = (ApiKey::DELETE_TOPICS, DELETE_VERSION);
        let answer: DeleteTopicsResponse = read(&self.ask(key, version, &request)?, key, version)?;
        match answer.responses.first() {
            Some(deleted) if deleted.error_code == ErrorCode::NONE => Ok(()),
            other => Err(format!("a topic is not deleted: {other:?}")),
        }
    }

    /// These settings are to have these values.
    pub(crate) fn alter(
        &mut self,
        resource: Resource<'_>,
        settings: &[(&str, &str)],
    ) -> Result<(), String> {
        // `ConfigResource.Type`; a broker without a name is each of them.
        let (resource_type, resource_name) = match resource {
            Resource::Topic(name) => (2, name.to_owned()),
            Resource::AllBrokers => (4, String::new()),
        };
        let set = |(key, value): &(&str, &str)| {
            let (name, value) = ((*key).to_owned(), Some((*value).to_owned()));
            AlterableConfig { name, config_operation: 0, value }
        };
        let configs = settings.iter().map(set).collect();
        let resources = vec![AlterConfigsResource { resource_type, resource_name, configs }];
        let request = IncrementalAlterConfigsRequest { resources, validate_only: false };
        let (key, version) = (ApiKey::INCREMENTAL_ALTER_CONFIGS, ALTER_VERSION);
        let answer: IncrementalAlterConfigsResponse =
            read(&self.ask(key, version, &request)?, key, version)?;
        match answer.responses.first() {
            Some(altered) if altered.error_code == ErrorCode::NONE => Ok(()),
            other => Err(format!("{resource:?} is not altered: {other:?}")),
        }
    }

    /// The topic is to have so many partitions.
    pub(crate) fn grow(&mut self, topic: &str, count: i32) -> Result<(), String> {
        let name = topic.to_owned();
        let topic = CreatePartitionsTopic { name, count, assignments: None };
        let request = CreatePartitionsRequest {
            topics: vec![topic],
            timeout_ms: TIMEOUT_MS,
            validate_only: false,
        };
        let (key, version) = (ApiKey::CREATE_PARTITIONS, GROW_VERSION);
        let answer: CreatePartitionsResponse =
            read(&self.ask(key, version, &request)?, key, version)?;
        match answer.results.first() {
            Some(grown) if grown.error_code == ErrorCode::NONE => Ok(()),
            other => Err(format!("a topic does not grow: {other:?}")),
        }
    }

    /// Metadata of all topics. The answer is looked at by its length alone, so that its reader's time is
    /// not measured.
    pub(crate) fn tell_all(&mut self, whole: usize) -> Result<(), String> {
        let length = self.metadata()?.len();
        (length == whole)
            .then_some(())
            .ok_or_else(|| format!("Metadata in {length} bytes, not {whole}"))
    }

    /// Waits until every partition has a leader. Gives the bytes of the answer that says so.
    pub(crate) fn wait_for(&mut self, partitions: i32) -> Result<usize, String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let frame = self.metadata()?;
            let answer: MetadataResponse = read(&frame, ApiKey::METADATA, METADATA_VERSION)?;
            let led = answer.topics.iter().flat_map(|topic| &topic.partitions);
            let led = led.filter(|partition| partition.leader_id >= 0).count();
            if led == partitions as usize {
                return Ok(frame.len());
            }
            if Instant::now() > until {
                return Err(format!("{led} of {partitions} partitions have a leader"));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the topic's partitions take what is written: their leader knows of them later than
    /// Metadata does.
    pub(crate) fn wait_for_leaders(&mut self, topic: &str, partitions: i32) -> Result<(), String> {
        const LATEST: i64 = -1;
        let until = Instant::now() + PATIENCE;
        let asked = |partition_index| ListOffsetsPartition {
            partition_index,
            timestamp: LATEST,
            ..ListOffsetsPartition::default()
        };
        let partitions = (0..partitions).map(asked).collect();
        let topics = vec![ListOffsetsTopic { name: topic.to_owned(), partitions }];
        let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
        let (key, version) = (ApiKey::LIST_OFFSETS, LIST_OFFSETS_VERSION);
        loop {
            let answer: ListOffsetsResponse =
                read(&self.ask(key, version, &request)?, key, version)?;
            let told = answer.topics.iter().flat_map(|topic| &topic.partitions);
            let left = told.filter(|partition| partition.error_code != ErrorCode::NONE).count();
            if left == 0 {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("{left} partitions of {topic} take nothing"));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn metadata(&mut self) -> Result<Bytes, String> {
        let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
        self.ask(ApiKey::METADATA, METADATA_VERSION, &request)
    }

    /// The frame of the answer.
    fn ask<M: Message>(&mut self, key: ApiKey, version: i16, request: &M) -> Result<Bytes, String> {
        let mut frame = BytesMut::new();
        write_request(&mut frame, &header(key, version), request);
        self.0.write_all(&frame).map_err(lost)?;
        read_frame(&mut self.0)
    }
}

fn read<M: Message>(frame: &Bytes, key: ApiKey, version: i16) -> Result<M, String> {
    let api = key.api().ok_or("an API that is not served")?;
    let mut reader = Reader::new(frame);
    read_response_header(&mut reader, api, version)
        .and_then(|_| M::read(&mut reader, version))
        .map_err(|error| format!("an answer to {key:?}: {error}"))
}
