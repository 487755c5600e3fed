//! Stream sockets over TCP and unix paths: addresses, listeners, connections. Not how an address is
//! written in a file.

mod address;
mod listener;
mod option;
mod path;
mod peer;
mod stream;

pub use address::{Address, PeerAddress};
pub use listener::{KeepAlive, Listener, Options, is_of_the_connection};
pub use peer::Peer;
pub use stream::{Stream, TcpInfo};
