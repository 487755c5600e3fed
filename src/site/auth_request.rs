//! `auth_request`: another location decides who may see it, by the status of its answer.

use super::answer::Response;
use super::draft::Draft;
use super::exchange::Exchange;
use super::run::Flow;
use super::satisfy::Verdict;
use super::subrequest;
use super::template::Template;
use super::variables::Target;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::directives;
use crate::log::Level;

directives! {
    /// Another location decides.
    pub struct AuthRequest in "ngx_http_auth_request_module" with Draft {
        /// Lets in those for whom the answer to a request for this path is 2xx; 401 and 403 keep
        /// out, anything else is an error. `off` asks nobody.
        uri: Option<Vec<u8>> = None =>
            "auth_request" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(uri);
        /// Sets a variable once that answer is there; the value may be made of it.
        set: Vec<Set> = Vec::new() =>
            "auth_request_set" [HTTP | SERVER | LOCATION] 2, Replace, "", with(set);
    }
}

/// One `auth_request_set`.
#[derive(Clone, Debug)]
pub struct Set {
    variable: Target,
    value: Template,
}

fn uri(word: &Word) -> Result<Option<Vec<u8>>, Reason> {
    Ok((!word.is("off")).then(|| word.text.clone()))
}

fn set(this: &mut AuthRequest, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    if call.first {
        this.set.clear();
    }
    let name = call.arg(0);
    let Some(bare) = name.text.strip_prefix(b"$") else {
        return Err(Reason::about("invalid variable name", name));
    };
    let variable = draft
        .variables
        .late_target(bare)
        .map_err(|reason| reason.at(name.place))?;
    let value = Template::compile(call.arg(1), draft)?;
    this.set.push(Set { variable, value });
    Ok(())
}

/// Whether the other location lets the request in.
pub fn check(x: &mut Exchange) -> Verdict {
    let auth: &'static AuthRequest = &x.location.values.auth_request;
    let Some(uri) = &auth.uri else {
        return Verdict::Silent;
    };
    let Some((mut asked, response)) = x.child_answer.take() else {
        return Verdict::Other(match x.child(uri.clone(), Vec::new()) {
            Ok(child) => Flow::Child(child),
            Err(_) => Flow::Fail(500),
        });
    };
    let Some(response) = response else {
        return Verdict::Other(Flow::Drop);
    };
    let Response { head, length, .. } = *response;
    asked.answered(head, length);
    subrequest::log(&asked);
    for Set { variable, value } in &auth.set {
        let value = value.value(&asked).into_owned();
        variable.set(x, value);
    }
    match asked.sent.status {
        200..300 => Verdict::Granted,
        401 => {
            challenge(x, &asked);
            Verdict::Refused(401)
        }
        403 => Verdict::Refused(403),
        status => {
            let what = format_args!("auth request unexpected status: {status}");
            x.log(Level::Error, what);
            Verdict::Other(Flow::Fail(500))
        }
    }
}

/// Asks for a password as the other location does.
fn challenge(x: &mut Exchange, asked: &Exchange) {
    let fields = asked.sent.head.iter().flat_map(|head| &head.fields);
    let challenges = fields.filter(|(name, _)| name.eq_ignore_ascii_case(b"www-authenticate"));
    x.challenges
        .extend(challenges.map(|(_, value)| value.clone()));
}

#[cfg(test)]
mod tests {
    use crate::site::testing;

    #[test]
    fn another_location_decides() {
        let kit = testing::server(
            "root /r; auth_request /auth/$uri?x; auth_request_set $who \"$arg_who/$status\";
             auth_request_set $args_of \"$uri?$args\"; add_header X-Who $who always;
             location /200/ { auth_request /yes; }
             location /file/ { auth_request /a; }
             location /204/ { auth_request /empty; }
             location /401/ { auth_request /asks; }
             location /403/ { auth_request /no; }
             location /302/ { auth_request /elsewhere; }
             location /404/ { auth_request /missing; }
             location /444/ { auth_request /hangs-up; }
             location /off/ { auth_request off; }
             location /uri/ { auth_request /echo?x; add_header X-Uri $args_of always; }
             location /self/ { auth_request /self/a; }
             location /yes { return 200 yes; }
             location /empty { return 204; }
             location /asks { return 401; }
             location /no { return 403; }
             location /elsewhere { return 302 /; }
             location /hangs-up { return 444; }
             location /echo { return 200; }",
        )
        .files(&[
            "/r/a",
            "/r/200/a",
            "/r/file/a",
            "/r/204/a",
            "/r/off/a",
            "/r/uri/a",
            "/r/self/a",
        ]);
        for (target, status, who) in [
            ("/200/a?who=me", 200, Some("/200")),
            ("/file/a", 200, Some("/200")),
            ("/204/a", 200, Some("/204")),
            ("/401/a", 401, Some("/401")),
            ("/403/a", 403, Some("/403")),
            ("/302/a", 500, Some("/302")),
            ("/404/a", 500, Some("/404")),
            ("/444/a", 0, None),
            ("/off/a", 200, None),
            ("/self/a", 200, Some("/200")),
        ] {
            let answer = kit.get(target);
            assert_eq!(
                (answer.status, answer.field("X-Who")),
                (status, who),
                "{target}"
            );
        }
        assert_eq!(kit.get("/uri/a?y").field("X-Uri"), Some("/echo?x?"));
    }

    #[test]
    fn names_that_are_none() {
        for (set, expected) in [
            ("x y", "invalid variable name \"x\""),
            ("$uri y", "the duplicate \"uri\" variable"),
            ("$x $nope", "unknown \"nope\" variable"),
        ] {
            let said = testing::said(&format!("auth_request_set {set};"));
            assert_eq!(said, [format!("error: {expected}")], "{set}");
        }
    }
}
