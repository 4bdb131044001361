//! The drivers side by side: whatever a test asks of one, it asks of each.

use std::fs;
use std::io::{self, Read};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use klamm_core::Exit;
use klamm_core::batch::Compression;
use klamm_core::config::{
    CleanerConfig, Config, CreationConfig, Durability, GroupConfig, Limits, Listener,
    MetadataLogConfig, TaskConfig, TopicConfig,
};
use klamm_core::effect::Path;
use klamm_core::time::Now;
use klamm_runtime::{Handle, Machine, Options, StartError};

use crate::directory::{self, NewTopic};

/// One of the drivers with real sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// Threads.
    Std,
    /// Tasks.
    Smol,
}

impl Driver {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Std, Self::Smol];

    /// Starts a broker.
    pub fn start(self, config: Config, options: Options) -> Result<Handle, StartError> {
        match self {
            Self::Std => klamm_std::Server::start(config, options),
            Self::Smol => klamm_smol::Server::start(config, options),
        }
    }

    /// Starts another machine.
    pub fn start_machine<M: Machine>(
        self,
        config: Config,
        options: Options,
        machine: impl FnOnce(Config, [u8; 32], Arc<dyn Compression>, Now) -> M,
    ) -> Result<Handle, StartError> {
        match self {
            Self::Std => klamm_std::Server::start_machine(config, options, machine),
            Self::Smol => klamm_smol::Server::start_machine(config, options, machine),
        }
    }

    /// A broker with nothing but defaults.
    ///
    /// # Panics
    /// When it does not start.
    pub fn serve(self, config: Config) -> Handle {
        self.start(config, Options::default()).expect("started")
    }
}

/// Makes a test for each driver of each function, which takes the driver.
#[macro_export]
macro_rules! on_each_driver {
    ($($body:ident),+ $(,)?) => {
        mod on_std {
            $(#[test]
            fn $body() {
                super::$body($crate::driver::Driver::Std);
            })+
        }
        mod on_smol {
            $(#[test]
            fn $body() {
                super::$body($crate::driver::Driver::Smol);
            })+
        }
    };
}

/// A directory of its own for one test, removed with it.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes it, empty.
    ///
    /// # Panics
    /// When it cannot be made.
    #[expect(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("klamm-drivers-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("made");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }

    /// Where a broker's log directory is.
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// Writes a log directory with these topics.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn put_topics(&self, topics: &[NewTopic]) {
        for (name, content) in directory::files("MkU3OEVBNTcwNTJENDM2Qg", topics) {
            let file = self.logs().join(name);
            fs::create_dir_all(file.parent().expect("in a directory")).expect("made");
            fs::write(file, content).expect("written");
        }
    }

    /// A broker on the log directory in here, on a free port.
    ///
    /// # Panics
    /// Not with the paths of a usual system.
    pub fn config(&self) -> Config {
        let listener = Listener { name: "PLAINTEXT".into(), host: "127.0.0.1".into(), port: 0 };
        let logs = self.logs();
        Config {
            node_id: 1,
            listeners: vec![listener.clone()],
            advertised: vec![listener],
            controller: Listener::default_controller(),
            log_dirs: vec![Path::new(logs.to_str().expect("text"))],
            durability: Durability::Durable,
            topic_defaults: TopicConfig::default(),
            creation: CreationConfig::default(),
            tasks: TaskConfig::default(),
            groups: GroupConfig::default(),
            cleaner: CleanerConfig::default(),
            metadata_log: MetadataLogConfig::default(),
            limits: Limits::default(),
            settings: Arc::default(),
        }
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A test that fails may leave a server that still writes.
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Stops a server, which must end well.
///
/// # Panics
/// When it does not.
pub fn stop(handle: Handle) {
    handle.shutdown();
    assert_eq!(handle.wait(), Exit::Clean);
}

/// A client's socket. No test waits for ever.
///
/// # Panics
/// When the server does not listen.
pub fn connect(handle: &Handle) -> TcpStream {
    let stream = TcpStream::connect(handle.addresses()[0].1).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    stream.set_write_timeout(Some(Duration::from_secs(20))).expect("set");
    stream.set_nodelay(true).expect("set");
    stream
}

/// `ApiVersions` version 0, framed.
pub fn api_versions(correlation_id: i32) -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 10, 0, 18, 0, 0];
    frame.extend_from_slice(&correlation_id.to_be_bytes());
    frame.extend_from_slice(&[0xff, 0xff]);
    frame
}

/// A response, without its size.
pub fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut frame = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}
