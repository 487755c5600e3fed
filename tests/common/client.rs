//! A client that sends exactly the bytes it is given and reads responses strictly, under deadlines.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::response::Response;
use super::wait::LIMIT;

/// How the server ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In order: end of stream after the last response.
    Closed,
    /// By a reset.
    Reset,
}

/// One connection to the server.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    ending: Option<Ending>,
}

impl Client {
    /// Connects; reads and writes give up after [`LIMIT`].
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, LIMIT).expect("the server accepts");
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::from(stream)
    }

    /// The socket, for options of a single test.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes that the server must take.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server takes what is sent");
    }

    /// Sends bytes that the server may refuse by closing.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends a minimal GET request.
    pub fn send_get(&mut self, target: &str) {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }

    /// A GET request and its response.
    pub fn get(&mut self, target: &str) -> Response {
        self.send_get(target);
        self.response()
    }

    /// Announces that no more bytes will come; responses can still be read.
    pub fn finish_sending(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// The next response, to a request that was no HEAD.
    pub fn response(&mut self) -> Response {
        self.try_response(false)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// The next response to a HEAD request.
    pub fn head_response(&mut self) -> Response {
        self.try_response(true)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// The next response, or why there is none.
    pub fn try_response(&mut self, head: bool) -> std::result::Result<Response, String> {
        loop {
            let parsed = Response::parse(&self.buffer, head, self.ending.is_some());
            if let Some((response, used)) = parsed.map_err(|error| self.complain(&error))? {
                self.buffer.drain(..used);
                return Ok(response);
            }
            if let Some(ending) = self.ending {
                return Err(self.complain(&format!("no response, but {ending:?}")));
            }
            self.fill()?;
        }
    }

    /// Reads on to the end: how it came, and the bytes before it that no response took.
    pub fn ending(&mut self) -> (Ending, Vec<u8>) {
        loop {
            if let Some(ending) = self.ending {
                return (ending, std::mem::take(&mut self.buffer));
            }
            self.fill().unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// Whether the server is known to have ended the connection.
    pub fn has_ended(&self) -> bool {
        self.ending.is_some()
    }

    /// Requires an orderly end without further bytes.
    pub fn expect_closed(&mut self) {
        let (ending, rest) = self.ending();
        assert_eq!(
            (ending, String::from_utf8_lossy(&rest).as_ref()),
            (Ending::Closed, "")
        );
    }

    /// Reads once: more bytes, or the end.
    pub fn fill(&mut self) -> std::result::Result<usize, String> {
        let mut chunk = [0; 65536];
        match self.stream.read(&mut chunk) {
            Ok(0) => self.ending = Some(Ending::Closed),
            Ok(n) => {
                self.buffer.extend_from_slice(&chunk[..n]);
                return Ok(n);
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                self.ending = Some(Ending::Reset);
            }
            Err(error) => return Err(self.complain(&format!("reading: {error}"))),
        }
        Ok(0)
    }

    fn complain(&self, error: &str) -> String {
        let start = &self.buffer[..self.buffer.len().min(300)];
        format!("{error}; received: \"{}\"", start.escape_ascii())
    }
}

impl From<TcpStream> for Client {
    fn from(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            ending: None,
        }
    }
}
