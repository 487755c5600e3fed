//! How fast an answer is sent: `limit_rate`, `limit_rate_after`, `$limit_rate`. The worker keeps to
//! it, see its `pace`.

use super::draft::Draft;
use super::exchange::Exchange;
use super::template::Template;
use super::variables::Declared;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::http::digits::decimal;
use crate::log::Level;

directives! {
    /// How fast an answer is sent.
    pub struct LimitRate in "ngx_http_core_module" with Draft {
        /// Limits the rate of an answer, in bytes per second. 0 means no limit. The variable
        /// `$limit_rate` may be set instead.
        rate: Amount = Amount::Fixed(0) =>
            "limit_rate" [HTTP | SERVER | LOCATION | LOCATION_IF] 1, Clone, "0", with(rate);
        /// Bytes of an answer that are sent before its rate is limited.
        after: Amount = Amount::Fixed(0) =>
            "limit_rate_after" [HTTP | SERVER | LOCATION | LOCATION_IF] 1, Clone, "0", with(after);
    }
}

/// The variable that is the rate of the request's answer, if that is limited.
pub const DECLARED: Declared = Declared {
    variables: &[("limit_rate", |x, out| {
        let rate = x.limited.look().and_then(|said| said.rate.get());
        decimal(out, rate.unwrap_or(0));
        true
    })],
    families: &[],
    settable: &[("limit_rate", Some(set))],
};

/// A number of bytes.
#[derive(Clone, Debug)]
pub enum Amount {
    /// The same for all requests.
    Fixed(u64),
    /// It depends on the request.
    Computed(Template),
}

impl Amount {
    fn read(draft: &mut Draft, call: &Call<'_>) -> Result<Amount, Reason> {
        let template = Template::compile(call.arg(0), draft)?;
        Ok(match template.fixed() {
            Some(_) => Amount::Fixed(value::size(call.arg(0))?),
            None => Amount::Computed(template),
        })
    }

    /// How many it is for a request; 0 if its value is none.
    fn of(&self, x: &Exchange) -> u64 {
        match self {
            Amount::Fixed(size) => *size,
            Amount::Computed(template) => {
                let text = template.value(x);
                value::parse_size(&text).unwrap_or_else(|| {
                    let text = text.escape_ascii();
                    let what =
                        format_args!("invalid size \"{text}\" while sending response to client");
                    x.log(Level::Error, what);
                    0
                })
            }
        }
    }
}

fn rate(this: &mut LimitRate, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.rate = Amount::read(draft, call)?;
    Ok(())
}

fn after(this: &mut LimitRate, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.after = Amount::read(draft, call)?;
    Ok(())
}

fn set(x: &mut Exchange, value: Vec<u8>) {
    match value::parse_size(&value) {
        Some(rate) => x.limited.said().rate.set(Some(rate)),
        None => {
            let what = format_args!("invalid $limit_rate \"{}\"", value.escape_ascii());
            x.log(Level::Error, what);
        }
    }
}

/// The rate of the answer in bytes per second, and how many bytes are sent before that holds; none
/// without a limit.
pub fn of(x: &Exchange) -> Option<(u64, u64)> {
    let values = &x.location.values.limit_rate;
    let set = x.limited.look().and_then(|said| said.rate.get());
    let rate = match (set, &values.rate) {
        (Some(rate), _) => rate,
        (None, Amount::Fixed(0)) => return None,
        (None, amount) => {
            let rate = amount.of(x);
            x.limited.said().rate.set(Some(rate));
            rate
        }
    };
    let after = values.after.of(x);
    (rate > 0).then_some((rate, after))
}

#[cfg(test)]
mod tests {
    use crate::site::testing::{said, site};

    #[test]
    fn what_is_wrong() {
        for (text, expected) in [
            ("limit_rate 10k;", None),
            ("limit_rate_after 1m;", None),
            (
                "limit_rate x;",
                Some("\"limit_rate\" directive invalid value"),
            ),
            (
                "limit_rate_after 1g;",
                Some("\"limit_rate_after\" directive invalid value"),
            ),
            ("limit_rate $nope;", Some("unknown \"nope\" variable")),
            (
                "limit_rate 1k; limit_rate 1k;",
                Some("\"limit_rate\" directive is duplicate"),
            ),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|what| format!("error: {what}"))
                .collect();
            assert_eq!(said(text), expected, "{text}");
        }
    }

    #[test]
    fn the_variable_is_the_rate() {
        let kit = site(
            "log_format rate $limit_rate; access_log rate.log rate; \
             server { listen 80; root /www; location /set { set $limit_rate $arg_r; \
             limit_rate 3k; alias /www/f; } }",
        )
        .file("/www/f", "content");
        for (target, expected) in [("/f", "0"), ("/set?r=5k", "5120"), ("/set?r=x", "0")] {
            kit.get(target);
            assert_eq!(kit.logged("rate.log"), expected, "{target}");
        }
    }
}
