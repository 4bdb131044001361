//! The broker that is measured: this binary as a server, until its standard input ends.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use klamm_core::Exit;
use klamm_core::broker::image::Image;
use klamm_core::config;
use klamm_core::event::{Event, Severity};
use klamm_runtime::{Observer, Options};

use crate::arguments::{Broker, durability_name};
use crate::process::say_ready;

/// Serves. When whoever started this is gone, so is standard input, and nothing stays behind.
pub(crate) fn run(broker: &Broker) -> Result<(), String> {
    let directory = broker.directory.to_str().ok_or("the directory's name is no text")?;
    let mut settings = vec![
        ("listeners", "PLAINTEXT://127.0.0.1:0"),
        ("advertised.listeners", "PLAINTEXT://127.0.0.1:0"),
        ("log.dirs", directory),
        ("klamm.durability", durability_name(broker.durability)),
    ];
    settings.extend(broker.settings.iter().filter_map(|setting| setting.split_once('=')));
    let settings = config::parse(settings).map_err(|error| error.to_string())?;
    let (news, heard) = channel();
    let options = Options { observer: Arc::new(Teller(news)), ..Options::default() };
    let handle =
        (broker.driver.start)(settings.config, options).map_err(|error| error.to_string())?;
    let (_, address) = handle.addresses().first().ok_or("no listener")?;
    if heard.recv().is_ok_and(|news| news == News::Ready) {
        say_ready(address.port())?;
    }
    let stopper = handle.stopper();
    thread::spawn(move || {
        // Its end is all that is waited for, and a failure is one.
        io::stdin().read_to_end(&mut Vec::new()).ok();
        stopper.shutdown();
    });
    match handle.wait() {
        Exit::Clean => Ok(()),
        Exit::Failed(reason) => Err(reason),
    }
}

#[derive(PartialEq, Eq)]
enum News {
    Ready,
    Stopped,
}

struct Teller(Sender<News>);

impl Observer for Teller {
    fn event(&self, event: &Event) {
        if event.severity() == Severity::Error {
            eprintln!("{event}");
        }
    }

    fn ready(&self, _image: &Image) {
        // Only the first news is waited for.
        self.0.send(News::Ready).ok();
    }

    fn stopped(&self, _exit: Exit) {
        self.0.send(News::Stopped).ok();
    }
}
