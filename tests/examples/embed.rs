//! Brokers inside another program: on free ports, in directories of their own, on either driver.
//!
//! `cargo run -p klamm-tests --example embed`

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;

use klamm_core::Exit;
use klamm_core::config;

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::temp_dir().join(format!("klamm-embedded-{}", std::process::id()));

    // A broker in five lines: its keys are those of server.properties.
    let log_dir = root.join("on-threads").display().to_string();
    let keys = [("listeners", "PLAINTEXT://127.0.0.1:0"), ("log.dirs", &log_dir)];
    let on_threads = klamm_std::Server::start(config::parse(keys)?.config, Default::default())?;
    let (_, address) = on_threads.addresses()[0];
    println!("threads: {address}");

    // Another one beside it, on the other driver.
    let log_dir = root.join("on-tasks").display().to_string();
    let keys = [("listeners", "PLAINTEXT://127.0.0.1:0"), ("log.dirs", &log_dir)];
    let on_tasks = klamm_smol::Server::start(config::parse(keys)?.config, Default::default())?;
    println!("tasks: {}", on_tasks.addresses()[0].1);

    for handle in [on_threads, on_tasks] {
        // Any client will do; this one asks in bytes which versions there are.
        let mut client = TcpStream::connect(handle.addresses()[0].1)?;
        client.write_all(b"\0\0\0\x0a\0\x12\0\0\0\0\0\x07\xff\xff")?;
        let mut size_and_id = [0; 8];
        client.read_exact(&mut size_and_id)?;
        assert_eq!(size_and_id[4..], [0, 0, 0, 7]);

        handle.shutdown();
        assert_eq!(handle.wait(), Exit::Clean);
    }
    std::fs::remove_dir_all(root)?;
    Ok(())
}
