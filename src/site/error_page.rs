//! Errors: what is answered with, instead of with what was asked for.

pub mod allowances;

use super::answer::Answer;
use super::draft::Draft;
use super::exchange::Exchange;
use super::locate;
use super::pages;
use super::run::Flow;
use super::template::Template;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::http::{Method, status};

directives! {
    /// Pages in place of errors.
    pub struct ErrorPages in "ngx_http_core_module" with Draft {
        /// Answers errors with another page: `error_page 404 500 =200 /page.html`. The page is a
        /// path, a named location or a URI to redirect to.
        pages: Vec<Page> = Vec::new() =>
            "error_page" [HTTP | SERVER | LOCATION | LOCATION_IF] 2.., Replace, "", with(error_page);
        /// Lets an error page's own errors have error pages, too.
        recursive: bool = false =>
            "recursive_error_pages" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
    }
}

/// What is answered in place of some errors.
#[derive(Clone, Debug)]
pub struct Page {
    status: u16,
    /// The status to send: another one, or that of the page itself, or the error's.
    sent: SentStatus,
    uri: Template,
}

#[derive(Clone, Copy, Debug)]
enum SentStatus {
    Same,
    OfPage,
    Other(u16),
}

fn error_page(this: &mut ErrorPages, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    if call.first {
        this.pages.clear();
    }
    let (uri, mut codes) = call
        .args()
        .split_last()
        .expect("the table wants two arguments");
    let mut sent = SentStatus::Same;
    if let Some((last, before)) = codes.split_last()
        && let Some(text) = last.text.strip_prefix(b"=")
    {
        sent = match text {
            b"" | b"0" => SentStatus::OfPage,
            text => match code(last, text)? {
                // As for `return`: it would announce an answer, and be none.
                1..=199 => return Err(Reason::about("interim status", last)),
                status => SentStatus::Other(status),
            },
        };
        if before.is_empty() {
            return Err(Reason::about("invalid value", last));
        }
        codes = before;
    }
    let template = Template::compile(uri, draft)?;
    for word in codes {
        let status = code(word, &word.text)?;
        if status == 499 || !(300..=599).contains(&status) {
            let what = format!("value \"{}\" must be between 300 and 599", word.str());
            return Err(Reason::from(what).at(word.place));
        }
        if matches!(status, 494..=497) && matches!(sent, SentStatus::Same) {
            sent = SentStatus::Other(400);
        }
        this.pages.push(Page {
            status,
            sent,
            uri: template.clone(),
        });
    }
    Ok(())
}

fn code(word: &Word, text: &[u8]) -> Result<u16, Reason> {
    let number = value::decimal(text).and_then(|n| u16::try_from(n).ok());
    number.ok_or_else(|| Reason::about("invalid value", word))
}

/// Answers with an error: with its page, if it has one.
pub fn answer(x: &mut Exchange, status: u16) -> Flow {
    if matches!(status, 444 | 499) {
        return Flow::Drop;
    }
    x.failed = true;
    if closes(status) {
        x.must_close = true;
    }
    let pages = &x.location.values.error_page;
    if !x.in_error_page
        && let Some(page) = pages.pages.iter().find(|page| page.status == status)
    {
        x.in_error_page = !pages.recursive;
        return with_page(x, status, page);
    }
    default_page(x, status)
}

fn with_page(x: &mut Exchange, status: u16, page: &Page) -> Flow {
    x.error_status = match page.sent {
        SentStatus::Same => Some(status),
        SentStatus::OfPage => None,
        SentStatus::Other(other) => Some(other),
    };
    let uri = page.uri.value(x).into_owned();
    match uri.first() {
        Some(b'/') => {
            if x.method != Method::Head {
                x.method = Method::Get;
            }
            Flow::internal(uri)
        }
        Some(b'@') => locate::named(x, &uri),
        _ => {
            let redirects = |status: &u16| matches!(status, 301 | 302 | 303 | 307 | 308);
            let status = x.error_status.take().filter(redirects).unwrap_or(302);
            x.leads_to = Some(uri);
            default_page(x, status)
        }
    }
}

/// The server's own page for a status.
pub fn default_page(x: &mut Exchange, status: u16) -> Flow {
    x.error_status = None;
    if let Some(answer) = allowances::refresh(x, status) {
        return Flow::Answer(Box::new(answer));
    }
    let sent = status::on_the_wire(status);
    let signature = x.location.values.tokens.name(x);
    let answer = match pages::error_page(status, &signature) {
        Some(mut page) => {
            page.extend(allowances::padding(x, status));
            Answer::bytes(sent, "text/html", page)
        }
        None => Answer {
            status: sent,
            ..Answer::default()
        },
    };
    Flow::Answer(Box::new(answer))
}

/// Errors after which the rest of what the client sends cannot be trusted, or is not wanted.
fn closes(status: u16) -> bool {
    matches!(
        status,
        400 | 408 | 413 | 414 | 431 | 494..=497 | 500 | 501 | 505
    )
}
