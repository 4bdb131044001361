//! Where a member is, as Kafka tells it.

use alloc::format;
use alloc::string::String;
use core::net::{IpAddr, SocketAddr};

/// The host of a peer as Java writes it (`InetAddress.toString`): without a port, and all eight parts of a long one.
pub(super) fn client_host(address: &str) -> String {
    match address.parse().map(|address: SocketAddr| address.ip().to_canonical()) {
        Ok(IpAddr::V4(ip)) => format!("/{ip}"),
        Ok(IpAddr::V6(ip)) => {
            let parts = ip.segments().map(|part| format!("{part:x}"));
            format!("/{}", parts.join(":"))
        }
        // Of no socket: it stands as the driver gave it.
        Err(_) => format!("/{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::client_host;

    #[test]
    fn hosts_are_written_as_java_does() {
        assert_eq!(client_host("127.0.0.1:50000"), "/127.0.0.1");
        assert_eq!(client_host("[::1]:50000"), "/0:0:0:0:0:0:0:1");
        assert_eq!(client_host("[2001:db8::a0]:1"), "/2001:db8:0:0:0:0:0:a0");
        assert_eq!(client_host("[::ffff:10.0.0.7]:1"), "/10.0.0.7");
        assert_eq!(client_host("a peer"), "/a peer");
    }
}
