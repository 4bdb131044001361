//! Kafka's listener syntax: `NAME://host:port`, several by comma (`SocketServerConfigs.listenerListToEndPoints`).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Listener;
use super::keys::parts;

/// Reads a list of at least one listener. `None` when one is malformed, or when two share a name or
/// an address.
pub(super) fn read(text: &str) -> Option<Vec<Listener>> {
    let mut list: Vec<Listener> = Vec::new();
    for part in parts(text) {
        let listener = listener(&part)?;
        if list.iter().any(|other| clash(other, &listener)) {
            return None;
        }
        list.push(listener);
    }
    (!list.is_empty()).then_some(list)
}

/// Reads `host:port`; an IPv6 address stands in brackets, and the brackets are not part of the host.
pub(super) fn endpoint(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.trim().strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once("]:")?;
            (host.contains(':').then_some(host)?, port)
        }
        None => {
            let (host, port) = text.trim().rsplit_once(':')?;
            ((!host.contains(':')).then_some(host)?, port)
        }
    };
    let host_is_plain =
        host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '%' | '.' | '_' | ':'));
    let port_is_plain = port.bytes().all(|b| b.is_ascii_digit());
    (host_is_plain && port_is_plain).then_some((host.to_string(), port.parse().ok()?))
}

fn listener(text: &str) -> Option<Listener> {
    let (name, rest) = text.split_once("://")?;
    let (host, port) = endpoint(rest)?;
    let name = name.trim().to_uppercase();
    let name_is_plain =
        name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    (!name.is_empty() && name_is_plain).then_some(Listener { name, host, port })
}

fn clash(one: &Listener, other: &Listener) -> bool {
    one.name == other.name || (one.port != 0 && one.port == other.port && one.host == other.host)
}

#[cfg(test)]
mod tests {
    use super::{endpoint, read};
    use alloc::string::{String, ToString};

    #[test]
    fn hosts_may_be_names_addresses_or_empty() {
        assert_eq!(endpoint("localhost:9092"), Some(("localhost".to_string(), 9092)));
        assert_eq!(endpoint("[::1]:9092"), Some(("::1".to_string(), 9092)));
        assert_eq!(endpoint(":0"), Some((String::new(), 0)));
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in
            ["", "localhost", "localhost:", "h:65536", "h:-1", "h:+1", "::1:9092", "[h]:1", "a b:1"]
        {
            assert_eq!(endpoint(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_raised_to_capitals_and_stand_once() {
        let list = read("plaintext://:9092, CONTROLLER://:9093").expect("two listeners");
        assert_eq!(list[0].name, "PLAINTEXT");
        assert_eq!((list[1].host.as_str(), list[1].port), ("", 9093));
        assert_eq!(read("A://:1,a://:2"), None);
        assert_eq!(read("A://h:1,B://h:1"), None);
        assert!(read("A://h:0,B://h:0").is_some());
        assert_eq!(read(""), None);
        assert_eq!(read("://h:1"), None);
    }
}
