//! `mp4`: films that start where the client wants to see them (`?start=` and `?end=`, in seconds).

pub mod atom;
mod cut;
pub mod film;
#[cfg(test)]
mod sample;
mod tables;
pub mod timed;
mod track;

use std::path::Path;
use std::sync::Arc;

use super::answer::{Answer, Body};
use super::draft::Draft;
use super::env::{Env, Lane};
use super::exchange::Exchange;
use super::run::{Flow, Phase};
use super::static_file::{self, file_path};
use super::symlinks;
use super::variables::request::argument;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::files::{Content, Opened};
use crate::http::{Bytes, Chunk, Method, Piece};
use crate::log::Level;
use crate::sys::file::{self, Kind};
use film::{Cut, Limits};
use timed::Span;

directives! {
    /// Which films can be entered anywhere.
    pub struct Mp4 in "ngx_http_mp4_module" with Draft {
        /// Bytes of a film that are read at once, in search of what is in it.
        buffer_size: u64 = 512 << 10 =>
            "mp4_buffer_size" [HTTP | SERVER | LOCATION] 1, Clone, "512K", set(value::size);
        /// Bytes that the tables of a film (`moov`) may have, where `mp4_buffer_size` is less; one
        /// that has more is answered with 500.
        max_buffer_size: u64 = 10 << 20 =>
            "mp4_max_buffer_size" [HTTP | SERVER | LOCATION] 1, Clone, "10M", set(value::size);
        /// Whether a film that is entered anywhere is sent from the key frame before, and told to be
        /// shown from there.
        start_key_frame: bool = false =>
            "mp4_start_key_frame" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
    }
}

directives! {
    /// How a location answers with files.
    pub struct Seeking in "ngx_http_mp4_module" with Draft {
        /// Sends a film from where `?start=` says to where `?end=` says, in seconds.
        handler: Option<Handler> = None => "mp4" [LOCATION] 0, Many, "", with(mp4);
    }
}
