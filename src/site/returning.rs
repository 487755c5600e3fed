//! `return`: answers without a file, and the phases in which a server and a location give them.

use super::answer::{Answer, Body};
use super::draft::Draft;
use super::exchange::Exchange;
use super::redirect;
use super::run::Flow;
use super::template::Template;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::http::Bytes;

directives! {
    /// Answers without a file.
    pub struct Returning in "ngx_http_rewrite_module" with Draft {
        /// Stops and answers: `return code [text]`, `return code URI` or `return URI`. 444 closes
        /// the connection without a word.
        answer: Option<Return> = None =>
            "return" [SERVER | LOCATION | SERVER_IF | LOCATION_IF] 1..=2, Many, "", with(return_);
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Return {
    status: u16,
    text: Option<Template>,
}

fn return_(this: &mut Returning, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let first = call.arg(0);
    let is_uri = |text: &[u8]| {
        text.starts_with(b"http://")
            || text.starts_with(b"https://")
            || text.starts_with(b"$scheme")
    };
    let (status, text) = match (call.args().get(1), value::decimal(&first.text)) {
        (None, None) if is_uri(&first.text) => (302, Some(first)),
        (text, Some(status)) if status <= 999 => (status as u16, text),
        _ => return Err(Reason::about("invalid return code", first)),
    };
    let text = text
        .map(|word| Template::compile(word, draft))
        .transpose()?;
    // The first that is reached ends the request; the others are never reached.
    this.answer.get_or_insert(Return { status, text });
    Ok(())
}

/// What the server answers for all its requests.
pub fn server(x: &mut Exchange) -> Flow {
    run(x)
}

/// What the location answers for all its requests.
pub fn location(x: &mut Exchange) -> Flow {
    if std::ptr::eq(x.location, &x.server.location) {
        return Flow::Next;
    }
    run(x)
}

fn run(x: &mut Exchange) -> Flow {
    let Some(answer) = &x.location.own.returning.answer else {
        return Flow::Next;
    };
    x.answer.status = answer.status;
    let text = answer.text.as_ref().map(|text| text.value(x).into_owned());
    match (answer.status, text) {
        (444, _) => Flow::Drop,
        (status @ (301 | 302 | 303 | 307 | 308), uri) => {
            redirect::answer(x, status, uri.unwrap_or_default())
        }
        (status, None) if status >= 400 => Flow::Fail(status),
        (status, text) => {
            let content_type: Bytes = x.location.values.mime.of(&x.uri);
            let body = text.unwrap_or_default();
            Flow::Answer(Box::new(Answer {
                status: if status == 0 { 200 } else { status },
                content_type: Some(content_type),
                body: Body::Bytes(body.into()),
                ..Answer::default()
            }))
        }
    }
}
