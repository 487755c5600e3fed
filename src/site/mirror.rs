//! `mirror`: requests are made once more, elsewhere; nobody looks at the answers.

use super::Values;
use super::body;
use super::draft::Draft;
use super::env::Env;
use super::exchange::Exchange;
use super::run::Flow;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::http::Framing;

directives! {
    /// Requests that are made once more.
    pub struct Mirror in "ngx_http_mirror_module" with Draft {
        /// Makes each request once more for this path, beside the answer, which does not wait for
        /// it. Several may be given; `off` gives none.
        uris: Vec<Vec<u8>> = Vec::new() =>
            "mirror" [HTTP | SERVER | LOCATION] 1, Replace, "off", with(mirror);
        /// Reads the body of a request before it is made once more.
        request_body: bool = true =>
            "mirror_request_body" [HTTP | SERVER | LOCATION] 1, Clone, "on", set(value::flag);
    }
}

fn mirror(this: &mut Mirror, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let word = call.arg(0);
    let off = word.is("off");
    if call.first {
        this.uris.clear();
    } else if off || this.uris.is_empty() {
        return Err(Reason::directive("is duplicate"));
    }
    if !off {
        this.uris.push(word.text.clone());
    }
    Ok(())
}

/// Plans for bodies that are kept.
pub fn settle(values: &Values, draft: &mut Draft) {
    if !values.mirror.uris.is_empty() && values.mirror.request_body {
        body::want(values, draft);
    }
}

/// Makes the request once more.
pub fn run(x: &mut Exchange, env: &mut dyn Env) -> Flow {
    let mirror: &'static Mirror = &x.location.values.mirror;
    if mirror.uris.is_empty() || x.is_child() {
        return Flow::Next;
    }
    let has_body = !matches!(x.head.framing(), Framing::None | Framing::Length(0));
    if mirror.request_body
        && has_body
        && let Err(need) = body::kept(x, || body::wish(x))
    {
        return Flow::Wait(need);
    }
    for uri in &mirror.uris {
        let Ok(mut again) = x.child(uri.clone(), x.args.clone()) else {
            return Flow::Fail(500);
        };
        again.method = x.method;
        env.begin(again);
    }
    Flow::Next
}

#[cfg(test)]
mod tests {
    use crate::site::testing;

    #[test]
    fn what_goes_together() {
        for (text, errors) in [
            ("mirror off;", 0),
            ("mirror /a; mirror /b;", 0),
            ("mirror off; mirror /a;", 1),
            ("mirror /a; mirror off;", 1),
            ("mirror off; mirror off;", 1),
            (
                "mirror /a; server { mirror off; location / { mirror /b; } }",
                0,
            ),
        ] {
            let said = testing::said(text);
            let expected = vec!["error: \"mirror\" directive is duplicate"; errors];
            assert_eq!(said, expected, "{text}");
        }
    }
}
