//! The only loop that joins a connection to its socket.

use std::io;

use super::client::Client;
use super::send::{Progress, send};
use crate::log::Level;
use crate::sys::OsError;

/// What a connection waits for after it was driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// The socket.
    Socket,
    /// Its next turn: it has had its share of this one.
    Turn,
    /// Nothing: it is over.
    Nothing,
}

/// Reads of one connection in one turn.
const READS: usize = 16;

/// Drives a connection until its socket is dry, it had its share, or it is over. It never waits
/// unless the socket was found dry since its last edge.
pub fn drive(client: &mut Client, buffer: &mut [u8]) -> Wants {
    client.take_up();
    let wants = go_on(client, buffer);
    client.put_down();
    wants
}

fn go_on(client: &mut Client, buffer: &mut [u8]) -> Wants {
    let mut budget = client.transport.sendfile_max_chunk.max(1);
    for _ in 0..READS {
        client.work();
        if client.waits_in_vain() {
            client.broken();
            return Wants::Nothing;
        }
        if client.http.wants_linger() && !client.shut {
            client.shut = true;
            // A client that is gone needs no end of the stream.
            let _ = client.link.stream.shutdown_write();
        }
        let sent = send(client, &mut budget, buffer);
        match sent {
            Progress::Made if budget == 0 => return Wants::Turn,
            Progress::Made => continue,
            Progress::Failed => client.close(),
            Progress::None => {}
        }
        if client.http.is_closed() {
            client.work();
            return Wants::Nothing;
        }
        if receive(client, buffer) != Progress::Made {
            return if client.http.is_closed() {
                Wants::Nothing
            } else {
                Wants::Socket
            };
        }
    }
    Wants::Turn
}

fn receive(client: &mut Client, buffer: &mut [u8]) -> Progress {
    if !client.readable || !client.http.wants_read() {
        return Progress::None;
    }
    match client.link.stream.recv(buffer) {
        Ok(0) => {
            client.readable = false;
            client.ended();
            Progress::Made
        }
        Ok(count) => {
            client.readable = count == buffer.len() || client.end_announced;
            client.received(&buffer[..count]);
            Progress::Made
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            client.readable = false;
            Progress::None
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Progress::Made,
        Err(error) => {
            if let Some(x) = client.sending() {
                x.log(
                    Level::Info,
                    format_args!("recv() failed {}", OsError(&error)),
                );
            }
            client.broken();
            Progress::Failed
        }
    }
}
