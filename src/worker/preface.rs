//! What comes before the first request where a proxy is in front (`listen ... proxy_protocol`): a
//! header that says whose connection it is. Without one there is no request.

use super::client::Client;
use crate::http::proxy_protocol::{Broken, Header, Read};
use crate::log::Level;

/// What has come of the header.
#[derive(Default)]
pub struct Preface(Vec<u8>);

impl Client {
    /// Takes what belongs to the header; returns the bytes behind it.
    pub(super) fn take_preface<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(mut preface) = self.preface.take() else {
            return bytes;
        };
        let before = preface.0.len();
        preface.0.extend_from_slice(bytes);
        match Header::read(&preface.0) {
            Ok(Read::Partial) => {
                self.preface = Some(preface);
                &[]
            }
            Ok(Read::Header(header, length)) => {
                if let Some(header) = header {
                    self.link.proxy.get_or_init(|| Box::new(header));
                }
                &bytes[length.saturating_sub(before)..]
            }
            Err(broken) => {
                self.complain(broken);
                self.http.close();
                &[]
            }
        }
    }

    /// The client sends no more.
    pub fn ended(&mut self) {
        if let Some(preface) = self.preface.take_if(|preface| !preface.0.is_empty()) {
            let end = preface.0.iter().position(|byte| b"\r\n".contains(byte));
            self.complain(Broken::Line(&preface.0[..end.unwrap_or(preface.0.len())]));
        }
        self.http.ended();
    }

    fn complain(&self, what: Broken<'_>) {
        let server = &self.site.servers[self.link.hosts.default];
        let (client, address) = (self.link.peer, &self.link.endpoint.address);
        self.site.error_log(&server.location).write(
            Level::Error,
            Some(self.link.number),
            format_args!(
                "{what} while reading PROXY protocol, client: {client}, server: {address}"
            ),
        );
    }
}
