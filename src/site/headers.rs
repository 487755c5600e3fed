//! Fields added to answers: `add_header`, `add_trailer`, and how long an answer stays fresh:
//! `expires`.

mod freshness;

use super::answer::Answer;
use super::draft::Draft;
use super::exchange::Exchange;
use super::template::Template;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::http::{Bytes, Trailers};
use freshness::{Expires, expires};

directives! {
    /// Fields added to answers.
    pub struct Headers in "ngx_http_headers_module" with Draft {
        /// Adds a field to answers that are no errors; with `always`, to all.
        headers: Fields = Fields::default() =>
            "add_header" [HTTP | SERVER | LOCATION | LOCATION_IF] 2..=3, Replace, "", with(add_header);
        /// Adds a field to the end of answers that are no errors; with `always`, of all. Only a
        /// chunked body has such an end, so that the answer's length is not told.
        trailers: Fields = Fields::default() =>
            "add_trailer" [HTTP | SERVER | LOCATION | LOCATION_IF] 2..=3, Replace, "", with(add_trailer);
        /// Sets `Expires` and `Cache-Control`: a time from now, `modified` and a time from the last
        /// change, `@` and a time of day, `epoch`, `max` or `off`.
        expires: Expires = Expires::OFF =>
            "expires" [HTTP | SERVER | LOCATION | LOCATION_IF] 1..=2, Clone, "off", with(expires);
    }
    also {
        /// What becomes of the `add_header` of the block around: it holds where the block has none
        /// of its own (`on`), never (`off`), or together with its own (`merge`).
        "add_header_inherit" [HTTP | SERVER | LOCATION | LOCATION_IF] 1, Clone, "on", with(add_header_inherit);
        /// The same for `add_trailer`.
        "add_trailer_inherit" [HTTP | SERVER | LOCATION | LOCATION_IF] 1, Clone, "on", with(add_trailer_inherit);
    }
}

/// The fields that a block adds: its own, and those of the block around it.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    own: Vec<Field>,
    outer: Vec<Field>,
    inherit: Inherit,
}

/// One `add_header` or `add_trailer`.
#[derive(Clone, Debug)]
struct Field {
    name: Bytes,
    value: Template,
    always: bool,
}

/// What `add_header_inherit` says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Inherit {
    Off,
    #[default]
    On,
    Merge,
}

impl Fields {
    /// Those that hold here, the block's own first.
    fn iter(&self) -> impl Iterator<Item = &Field> {
        let outer = match self.inherit {
            Inherit::Off => false,
            Inherit::On => self.own.is_empty(),
            Inherit::Merge => true,
        };
        let outer = self.outer.iter().filter(move |_| outer);
        self.own.iter().chain(outer)
    }

    /// Whether a block within would have to know that it is one.
    fn is_plain(&self) -> bool {
        self.own.is_empty() && (self.inherit != Inherit::Off || self.outer.is_empty())
    }

    /// What a block within starts from.
    fn within(&self) -> Fields {
        Fields {
            own: Vec::new(),
            outer: self.iter().cloned().collect(),
            inherit: self.inherit,
        }
    }

    fn add(&mut self, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
        let always = match call.args().get(2) {
            None => false,
            Some(word) if word.is("always") => true,
            Some(word) => return Err(Reason::about("invalid parameter", word)),
        };
        let value = Template::compile(call.arg(1), draft)?;
        let name = Bytes::from(std::sync::Arc::from(&call.arg(0).text[..]));
        self.own.push(Field {
            name,
            value,
            always,
        });
        Ok(())
    }
}

fn add_header(this: &mut Headers, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.headers.add(draft, call)
}

fn add_trailer(this: &mut Headers, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.trailers.add(draft, call)
}

fn add_header_inherit(this: &mut Headers, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.headers.inherit = inherit(call.arg(0))?;
    Ok(())
}

fn add_trailer_inherit(this: &mut Headers, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.trailers.inherit = inherit(call.arg(0))?;
    Ok(())
}

fn inherit(word: &Word) -> Result<Inherit, Reason> {
    let choices = [
        ("off", Inherit::Off),
        ("on", Inherit::On),
        ("merge", Inherit::Merge),
    ];
    value::one_of(word, &choices)
}

impl Headers {
    /// What a block within starts from; none where that is the same.
    pub fn within(&self) -> Option<Headers> {
        let plain = self.headers.is_plain() && self.trailers.is_plain();
        (!plain).then(|| Headers {
            headers: self.headers.within(),
            trailers: self.trailers.within(),
            expires: self.expires.clone(),
        })
    }

    /// Whether an answer of this status has fields at its end.
    pub fn expect_trailers(&self, status: u16) -> bool {
        let mut fields = self.trailers.iter();
        fields.any(|field| field.always || is_no_error(status))
    }
}

fn is_no_error(status: u16) -> bool {
    matches!(
        status,
        200 | 201 | 204 | 206 | 301 | 302 | 303 | 304 | 307 | 308
    )
}

/// Adds the fields that the location wants. They may speak of the answer itself
/// (`$sent_http_content_type`), so it is the exchange's meanwhile.
pub fn filter(x: &mut Exchange, answer: &mut Answer) {
    std::mem::swap(&mut x.answer, answer);
    add_all(x);
    std::mem::swap(&mut x.answer, answer);
}

fn add_all(x: &mut Exchange) {
    let headers: &'static Headers = &x.location.values.headers;
    let no_error = is_no_error(x.answer.status);
    if no_error {
        headers.expires.add(x);
    }
    for field in headers.headers.iter().filter(|it| no_error || it.always) {
        let value = field.value.value(x).into_owned();
        add(&mut x.answer, &field.name, value);
    }
}

/// The fields at the end of an answer that has been sent.
pub fn trailers(x: &Exchange) -> Trailers {
    let no_error = is_no_error(x.sent.status);
    let fields = x.location.values.headers.trailers.iter();
    fields
        .filter(|field| no_error || field.always)
        .map(|field| (field.name.clone(), field.value.value(x).into_owned().into()))
        .filter(|(_, value): &(Bytes, Bytes)| !value.is_empty())
        .collect()
}

/// Adds one field, unless it is empty; one that is a validator replaces the answer's own.
fn add(answer: &mut Answer, name: &Bytes, value: Vec<u8>) {
    if name.eq_ignore_ascii_case(b"etag") {
        if answer.etag.take().is_some() && !value.is_empty() {
            answer.etag = Some(value);
            return;
        }
    } else if name.eq_ignore_ascii_case(b"last-modified") {
        answer.last_modified = None;
    }
    if !value.is_empty() {
        answer.fields.push((name.clone(), value.into()));
    }
}
