//! Listening sockets, and the real addresses written into the configuration.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use klamm_core::config::{Config, Listener};

use crate::launch::StartError;

/// A bound listener.
#[derive(Debug)]
pub struct Bound {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Its real address.
    pub address: SocketAddr,
    /// The socket, non-blocking.
    pub listener: TcpListener,
}

/// Binds all listeners. A port 0 becomes the port that the system gave, and so does the port of
/// what is advertised by the same name, where that is 0.
pub(crate) fn bind(config: &mut Config) -> Result<Vec<Bound>, StartError> {
    let backlog = config.limits.listen_backlog;
    let mut bound = Vec::with_capacity(config.listeners.len());
    for wanted in &mut config.listeners {
        let (listener, address) = bind_one(wanted, backlog).map_err(|error| StartError::Bind {
            listener: wanted.name.clone(),
            host: wanted.host.clone(),
            port: wanted.port,
            error,
        })?;
        wanted.port = address.port();
        for advertised in &mut config.advertised {
            if advertised.name == wanted.name && advertised.port == 0 {
                advertised.port = address.port();
            }
        }
        bound.push(Bound { name: wanted.name.as_str().into(), address, listener });
    }
    Ok(bound)
}

fn bind_one(wanted: &Listener, backlog: i32) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = if wanted.host.is_empty() {
        // Serves IPv4 too where the system does not say otherwise, as Java's wildcard does.
        TcpListener::bind(("::", wanted.port))
            .or_else(|_| TcpListener::bind(("0.0.0.0", wanted.port)))?
    } else {
        TcpListener::bind((wanted.host.as_str(), wanted.port))?
    };
    // The standard library asks for 128; to listen again only changes that.
    rustix::net::listen(&listener, backlog)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
