//! The driver with the real broker, over real sockets and a real directory.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use klamm_core::Exit;
use klamm_core::config::{Config, Durability, Limits, Listener, TopicConfig};
use klamm_core::effect::Path;
use klamm_std::{Handle, Options, Server};

#[test]
fn api_versions_is_answered_pipelined_and_half_closed() {
    let dir = TempDir::new();
    let handle = start(&dir);
    let mut stream = connect(&handle);
    stream.write_all(&api_versions(7)).unwrap();
    assert_eq!(&read_frame(&mut stream).unwrap()[..4], 7_i32.to_be_bytes());

    let requests: Vec<u8> = (0..500).flat_map(api_versions).collect();
    stream.write_all(&requests).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    for id in 0..500_i32 {
        assert_eq!(&read_frame(&mut stream).unwrap()[..4], id.to_be_bytes());
    }
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).unwrap(), 0, "closed after the last answer");
    handle.shutdown();
    assert_eq!(handle.wait(), Exit::Clean);
}

/// A directory of its own for one test, removed with it.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("klamm-std-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn config(&self) -> Config {
        let listener = Listener { name: "PLAINTEXT".into(), host: "127.0.0.1".into(), port: 0 };
        Config {
            node_id: 1,
            listeners: vec![listener.clone()],
            advertised: vec![listener],
            log_dirs: vec![Path::new(self.0.to_str().unwrap())],
            durability: Durability::Durable,
            topic_defaults: TopicConfig::default(),
            limits: Limits::default(),
        }
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn start(dir: &TempDir) -> Handle {
    Server::start(dir.config(), Options::default()).unwrap()
}

fn connect(handle: &Handle) -> TcpStream {
    let stream = TcpStream::connect(handle.addresses()[0].1).unwrap();
    // No test waits for ever.
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// ApiVersions version 0, framed.
fn api_versions(correlation_id: i32) -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 10, 0, 18, 0, 0];
    frame.extend_from_slice(&correlation_id.to_be_bytes());
    frame.extend_from_slice(&[0xff, 0xff]);
    frame
}

/// A response, without its size.
fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut frame = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}
