//! The drivers that are measured.

use std::fmt;

use klamm_core::config::Config;
use klamm_runtime::{Handle, Options, StartError};

/// A driver by its name.
pub(crate) struct Driver {
    pub(crate) name: &'static str,
    pub(crate) start: fn(Config, Options) -> Result<Handle, StartError>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// All of them.
pub(crate) const DRIVERS: &[Driver] = &[
    Driver { name: "std", start: klamm_std::Server::start },
    Driver { name: "smol", start: klamm_smol::Server::start },
];

/// The driver of this name.
pub(crate) fn find(name: &str) -> Result<&'static Driver, String> {
    DRIVERS
        .iter()
        .find(|driver| driver.name == name)
        .ok_or_else(|| format!("{name} is no driver that is built in"))
}
