//! `return`: answers without a file.

use super::{Order, Program, leads_away};
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::http::Bytes;
use crate::site::answer::{Answer, Body};
use crate::site::draft::Draft;
use crate::site::exchange::Exchange;
use crate::site::redirect;
use crate::site::run::Flow;
use crate::site::template::Template;

/// What is answered.
#[derive(Clone, Debug)]
pub struct Return {
    status: u16,
    text: Option<Template>,
}

pub fn return_(this: &mut Program, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let first = call.arg(0);
    let (status, text) = match (call.args().get(1), value::decimal(&first.text)) {
        (None, None) if leads_away(&first.text) => (302, Some(first)),
        // Whoever gets one of these waits for the answer that follows it (RFC 9110 section 15.2).
        (_, Some(1..=199)) => return Err(Reason::about("interim return code", first)),
        (text, Some(status)) if status <= 999 => (status as u16, text),
        _ => return Err(Reason::about("invalid return code", first)),
    };
    // An error has its page rather than no text.
    let text = text.filter(|text| status < 400 || !text.text.is_empty());
    let text = text
        .map(|word| Template::compile(word, draft))
        .transpose()?;
    this.add(call, Order::Return(Return { status, text }));
    Ok(())
}

impl Return {
    /// The answer.
    pub fn answer(&self, x: &mut Exchange) -> Flow {
        x.answer.status = self.status;
        let text = self.text.as_ref().map(|text| text.value(x).into_owned());
        match (self.status, text) {
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
}
