//! Each driver with what is asked of a cluster: what comes from the file system is real.

use std::fs;
use std::io::Write;

use bytes::{Bytes, BytesMut};
use klamm_core::api::ApiKey;
use klamm_core::api::describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use klamm_core::codec::{Message, Reader};
use klamm_core::error_code::ErrorCode;
use klamm_core::frame::{RequestHeader, read_response_header, write_request};
use klamm_tests::directory::NewTopic;
use klamm_tests::driver::{Driver, TempDir, connect, read_frame, stop};
use klamm_tests::on_each_driver;

const VERSION: i16 = 5;

on_each_driver! {
    log_directories_have_the_room_of_their_file_system,
}

fn log_directories_have_the_room_of_their_file_system(driver: Driver) {
    let dir = TempDir::new();
    dir.put_topics(&[NewTopic::new("t", 2)]);
    let handle = driver.serve(dir.config());
    let mut stream = connect(&handle);
    let header = RequestHeader {
        api_key: ApiKey::DESCRIBE_LOG_DIRS,
        api_version: VERSION,
        correlation_id: 7,
        client_id: None,
    };
    let mut asked = BytesMut::new();
    write_request(&mut asked, &header, &DescribeLogDirsRequest { topics: None });
    stream.write_all(&asked).unwrap();
    let frame = Bytes::from(read_frame(&mut stream).unwrap());
    let mut reader = Reader::new(&frame);
    let api = ApiKey::DESCRIBE_LOG_DIRS.api().expect("it is served");
    assert_eq!(read_response_header(&mut reader, api, VERSION), Ok(7));
    let answer = DescribeLogDirsResponse::read(&mut reader, VERSION).expect("an answer");
    let [result] = &answer.results[..] else { panic!("{answer:?}") };
    assert_eq!(result.error_code, ErrorCode::NONE);
    assert_eq!(fs::canonicalize(&result.log_dir).unwrap(), fs::canonicalize(dir.logs()).unwrap());
    assert!(result.usable_bytes > 0 && result.usable_bytes <= result.total_bytes, "{result:?}");
    let [topic] = &result.topics[..] else { panic!("{result:?}") };
    assert_eq!((topic.name.as_str(), topic.partitions.len()), ("t", 2));
    stop(handle);
}
