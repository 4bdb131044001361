//! Which driver carries the broker.

use klamm_core::config::Config;
use klamm_runtime::{Handle, Options, StartError};

/// The environment variable that names one.
pub(crate) const VARIABLE: &str = "KLAMM_DRIVER";

/// How a driver begins to serve.
pub(crate) type Start = fn(Config, Options) -> Result<Handle, StartError>;

/// A driver that is built in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Driver {
    pub(crate) name: &'static str,
    pub(crate) start: Start,
}

/// All of them; the first is the default.
const DRIVERS: [Driver; 2] = [
    Driver { name: "std", start: klamm_std::Server::start },
    Driver { name: "smol", start: klamm_smol::Server::start },
];

/// A name, and where it stands.
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) origin: String,
}

/// The driver of this name. The error is a sentence.
pub(crate) fn find(wanted: &Wanted) -> Result<Driver, String> {
    let Wanted { name, origin } = wanted;
    DRIVERS.into_iter().find(|driver| driver.name == name).ok_or_else(|| {
        let names = DRIVERS.map(|driver| driver.name).join(", ");
        format!("driver {name} is not built in: there is {names}; it is named by {origin}")
    })
}

#[cfg(test)]
mod tests {
    use klamm_core::config::keys;

    use super::{DRIVERS, Wanted, find};

    #[test]
    fn the_default_key_names_the_first_driver() {
        let key = keys::find("klamm.driver").expect("a key");
        assert_eq!(key.default, Some(DRIVERS[0].name));
        let documentation = key.documentation.expect("it does something");
        for driver in DRIVERS {
            assert!(documentation.contains(&format!("`{}`", driver.name)), "{}", driver.name);
        }
    }

    #[test]
    fn an_unknown_driver_is_told_what_there_is() {
        let wanted = Wanted { name: "tokio".into(), origin: "--driver".into() };
        assert_eq!(
            find(&wanted).expect_err("none of ours"),
            "driver tokio is not built in: there is std, smol; it is named by --driver"
        );
    }
}
