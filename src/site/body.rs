//! Bodies of requests: how large they may be, and how those are kept that somebody wants. All others
//! are dropped as they come; their size is limited all the same.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::Values;
use super::draft::Draft;
use super::env::Need;
use super::exchange::Exchange;
use super::run::Flow;
use super::template::Template;
use super::variables::Declared;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::files::temp::{Life, RequestBody, TempDir};
use crate::http::Framing;
use crate::log::Level;

directives! {
    /// Bodies of requests.
    pub struct Body in "ngx_http_core_module" with Draft {
        /// Bytes a request body may have; past it the answer is 413. 0 turns the limit off.
        max_size: u64 = 1 << 20 =>
            "client_max_body_size" [HTTP | SERVER | LOCATION] 1, Clone, "1m", set(value::offset);
        /// Bytes of a request body that are kept in memory where one is wanted. One that is a quarter
        /// larger still is; all others are written to a file, as many bytes at a time.
        buffer_size: u64 = 16 << 10 =>
            "client_body_buffer_size" [HTTP | SERVER | LOCATION] 1, Clone, "16k", set(buffer_size);
        /// The directory for bodies that are written to files, and how many digits the names of up to
        /// three levels of directories within have. It is made when the server starts, for the user
        /// of its workers, where a configuration wants bodies.
        temp_path: Option<TempDir> = None =>
            "client_body_temp_path" [HTTP | SERVER | LOCATION] 1..=4, Clone, "client_body_temp",
            with(temp_path);
        /// Writes every body that is wanted to a file, which stays (`on`) or is removed in the end
        /// (`clean`).
        in_file: InFile = InFile::Off =>
            "client_body_in_file_only" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(in_file);
        /// Reads the body before anything else is done, if one of these strings is neither empty nor
        /// `0`: what is done may then depend on `$request_body`.
        early_read: Vec<Template> = Vec::new() =>
            "client_body_early_read" [HTTP | SERVER] 1.., Replace, "", with(early_read);
    }
    also {
        /// Accepted: what is kept in memory is always in one piece.
        "client_body_in_single_buffer" [HTTP | SERVER | LOCATION] 1, Clone, "off",
            check(value::flag);
    }
}

/// Variables of bodies that were kept.
pub const DECLARED: Declared = Declared {
    variables: &[
        ("request_body", request_body),
        ("request_body_file", request_body_file),
    ],
    families: &[],
    settable: &[],
};

/// What `client_body_in_file_only` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InFile {
    /// Only what is too large for memory.
    Off,
    /// All, for good.
    On,
    /// All, until the end of the request.
    Clean,
}

fn buffer_size(word: &Word) -> Result<u64, Reason> {
    match value::size(word)? {
        0 => Err(Reason::from("client body buffer size cannot be zero").at(word.place)),
        size => Ok(size),
    }
}

fn in_file(word: &Word) -> Result<InFile, Reason> {
    let choices = [
        ("off", InFile::Off),
        ("on", InFile::On),
        ("clean", InFile::Clean),
    ];
    value::one_of(word, &choices)
}

fn temp_path(this: &mut Body, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let level = |word: &Word| {
        let level = value::decimal(&word.text).filter(|&level| level > 0);
        level.and_then(|level| usize::try_from(level).ok())
    };
    let levels: Option<Vec<usize>> = call.args()[1..].iter().map(level).collect();
    let levels = levels.ok_or(Reason::directive("invalid value"))?;
    let path = draft.path(&call.arg(0).text);
    this.temp_path = Some(TempDir { path, levels });
    Ok(())
}

fn early_read(this: &mut Body, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    if call.first {
        this.early_read.clear();
    }
    for word in call.args() {
        this.early_read.push(Template::compile(word, draft)?);
    }
    Ok(())
}

/// Plans what it takes that bodies are kept in a block, if it wants that itself.
pub fn settle(values: &Values, draft: &mut Draft) {
    if !values.body.early_read.is_empty() {
        want(values, draft);
    }
}

/// Plans what it takes that bodies are kept in a block.
pub fn want(values: &Values, draft: &mut Draft) {
    let directory = values.body.temp_path.clone();
    let directory = directory.unwrap_or_else(|| draft.default_temp());
    draft.needs.reach.temporary.number(directory.path.clone());
    draft.needs.temp_dirs.number(directory);
}

/// How a body is to be kept.
#[derive(Debug)]
pub struct Keep {
    /// The most bytes it may have.
    pub limit: Option<u64>,
    /// Bytes that may be in memory in the end.
    pub memory: u64,
    /// Bytes that are written to a file at a time.
    pub buffer: u64,
    /// Whether it is in a file in any case.
    pub in_file: bool,
    /// Where files are.
    pub directory: TempDir,
    /// How long they are there.
    pub life: Life,
    /// What is said of a file that was needed.
    pub told: Option<Level>,
}

/// How the location of a request wants its body to be kept.
pub fn wish(x: &Exchange) -> Keep {
    let body = &x.location.values.body;
    let buffer = body.buffer_size;
    let memory = match x.head.framing() {
        Framing::Length(length) if length < buffer.saturating_add(buffer / 4) => length,
        _ => buffer,
    };
    let (life, told) = match body.in_file {
        InFile::Off => (Life::Nameless, Level::Warn),
        InFile::On => (Life::Kept, Level::Notice),
        InFile::Clean => (Life::Dropped, Level::Notice),
    };
    Keep {
        limit: Some(body.max_size).filter(|&limit| limit > 0),
        memory,
        buffer,
        in_file: body.in_file != InFile::Off,
        directory: body
            .temp_path
            .clone()
            .unwrap_or_else(|| x.site.default_temp.clone()),
        life,
        told: Some(told),
    }
}

/// The body of a request; or a need to wait until it was kept in this way.
pub fn kept(x: &Exchange, wish: impl FnOnce() -> Keep) -> Result<Arc<RequestBody>, Need> {
    match &x.request_body {
        Some(body) => Ok(body.clone()),
        None => Err(Need::RequestBody(Box::new(wish()))),
    }
}

/// Reads a body before anything else is done, where the server wants that.
pub fn early(x: &mut Exchange) -> Flow {
    let wanted = &x.location.values.body.early_read;
    let has_one = !matches!(x.head.framing(), Framing::None | Framing::Length(0));
    let is_set = |condition: &Template| !matches!(&*condition.value(x), b"" | b"0");
    if wanted.is_empty() || !has_one || !wanted.iter().any(is_set) {
        return Flow::Next;
    }
    if let Some(refusal) = too_large(x) {
        return refusal;
    }
    match kept(x, || wish(x)) {
        Ok(_) => Flow::Next,
        Err(need) => Flow::Wait(need),
    }
}

/// Refuses a body that is too large. In a site that wants none, one of unknown length is read first:
/// whether it is well formed and within the limit, only its end tells. All others are dropped as
/// they come.
pub fn discard(x: &mut Exchange) -> Flow {
    if x.must_close {
        // This is the page of an error after which nothing more is read.
        return Flow::Next;
    }
    if let Some(refusal) = too_large(x) {
        return refusal;
    }
    let limit = Some(x.location.values.body.max_size).filter(|&limit| limit > 0);
    match x.head.framing() {
        Framing::Chunked if x.is_first_pass() && !x.site.keeps_bodies => {
            Flow::Wait(Need::Body(limit))
        }
        _ => Flow::Next,
    }
}

fn too_large(x: &mut Exchange) -> Option<Flow> {
    let limit = x.location.values.body.max_size;
    let length = match (&x.request_body, x.head.framing()) {
        (Some(body), _) => body.len(),
        (None, Framing::Length(length)) => length,
        _ => return None,
    };
    if limit == 0 || length <= limit {
        return None;
    }
    let what = format_args!("client intended to send too large body: {length} bytes");
    x.log(Level::Error, what);
    Some(Flow::Fail(413))
}

fn request_body(x: &Exchange, out: &mut Vec<u8>) -> bool {
    match x.request_body.as_deref() {
        Some(RequestBody::Memory(bytes)) if !bytes.is_empty() => {
            out.extend_from_slice(bytes);
            true
        }
        _ => false,
    }
}

fn request_body_file(x: &Exchange, out: &mut Vec<u8>) -> bool {
    match x.request_body.as_deref() {
        Some(RequestBody::File { file, .. }) => {
            out.extend_from_slice(file.path().as_os_str().as_bytes());
            true
        }
        _ => false,
    }
}

/// nginx's default for `client_body_temp_path`, below the prefix.
pub fn default_temp(prefix: PathBuf) -> TempDir {
    TempDir {
        path: prefix.join("client_body_temp"),
        levels: Vec::new(),
    }
}
