//! One life of the broker: from its settings to its end.

use std::env;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use klamm_core::Exit;
use klamm_core::broker::image::Image;
use klamm_core::config::Settings;
use klamm_core::event::Event;
use klamm_runtime::{Observer, Options, StartError};
use tracing::{info, warn};

use crate::driver::{self, Wanted};
use crate::logging;
use crate::properties::Source;
use crate::signals::StopSignals;

/// Serves until a signal or a failure ends it. The error is one line for a person.
pub(crate) fn serve(
    settings: Settings,
    source: &Source,
    driver: Option<String>,
    begun: Instant,
) -> Result<(), String> {
    let Settings { config, driver: configured, unused } = settings;
    let driver = driver::find(&wanted_driver(driver, configured, source))?;
    if !unused.is_empty() {
        warn!("these keys have no effect: {}", unused.join(", "));
    }
    let log_dirs: Vec<String> = config.log_dirs.iter().map(ToString::to_string).collect();
    let signals = StopSignals::catch().map_err(|error| format!("signals: {error}"))?;
    let (news, heard) = channel();
    let options = Options { observer: Arc::new(Log { news }), ..Options::default() };
    let handle =
        (driver.start)(config, options).map_err(|error| explain_start_error(&error, source))?;
    let stopper = handle.stopper();
    signals
        .on_first(move || stopper.shutdown())
        .map_err(|error| format!("a thread for signals: {error}"))?;
    while let Ok(News::Ready { topics, partitions }) = heard.recv() {
        info!(
            "klamm {} serves: driver {}, listeners {}, directories {}, {topics} topics, \
             {partitions} partitions, ready in {} ms",
            env!("CARGO_PKG_VERSION"),
            driver.name,
            listeners(handle.addresses()),
            log_dirs.join(" "),
            begun.elapsed().as_millis(),
        );
    }
    match handle.wait() {
        Exit::Clean => {
            info!("stopped");
            Ok(())
        }
        Exit::Failed(reason) => Err(reason),
    }
}

/// The command line goes before the environment, and that before the file.
fn wanted_driver(argument: Option<String>, configured: String, source: &Source) -> Wanted {
    if let Some(name) = argument {
        return Wanted { name, origin: "--driver".into() };
    }
    match env::var_os(driver::VARIABLE).filter(|name| !name.is_empty()) {
        Some(name) => {
            Wanted { name: name.to_string_lossy().into_owned(), origin: driver::VARIABLE.into() }
        }
        None => Wanted { name: configured, origin: source.place_of("klamm.driver").to_string() },
    }
}

/// What the main thread waits for.
enum News {
    Ready { topics: usize, partitions: usize },
    Stopped,
}

/// Writes events to the log, and tells the main thread the rest.
struct Log {
    news: Sender<News>,
}

impl Log {
    fn tell(&self, news: News) {
        // The main thread listens until it hears of the end; what comes later is of no use to it.
        self.news.send(news).ok();
    }
}

impl Observer for Log {
    fn event(&self, event: &Event) {
        logging::write(event);
    }

    fn ready(&self, image: &Image) {
        let partitions = image.topics.values().map(|topic| topic.partitions.len()).sum();
        self.tell(News::Ready { topics: image.topics.len(), partitions });
    }

    fn stopped(&self, _exit: Exit) {
        self.tell(News::Stopped);
    }
}

fn listeners(addresses: &[(String, SocketAddr)]) -> String {
    let listeners: Vec<String> =
        addresses.iter().map(|(name, address)| format!("{name}://{address}")).collect();
    listeners.join(" ")
}

fn explain_start_error(error: &StartError, source: &Source) -> String {
    match error {
        StartError::Bind { .. } => format!(
            "{}: listeners: {error}: allowed is a free port of an address of this machine",
            source.place_of("listeners")
        ),
        StartError::System { .. } => error.to_string(),
    }
}
