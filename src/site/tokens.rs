//! How the server names itself, in a field and on its pages.

use std::sync::Arc;

use super::draft::Draft;
use super::exchange::Exchange;
use super::template::Template;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::directives;
use crate::http::Bytes;

/// Name and version.
pub const FULL: &str = concat!("forkful/", env!("CARGO_PKG_VERSION"));
const NAME: &str = "forkful";

directives! {
    /// How the server names itself.
    pub struct Tokens in "ngx_http_core_module" with Draft {
        /// Names the server with its version (`on`, `build`), without (`off`), as any string, or
        /// not at all (`""`).
        text: Text = Text::Full =>
            "server_tokens" [HTTP | SERVER | LOCATION] 1, Clone, "on", with(server_tokens);
    }
}

/// What `server_tokens` says.
#[derive(Clone, Debug)]
pub enum Text {
    /// Name and version.
    Full,
    /// Only the name.
    Name,
    /// This.
    Own(Template),
}

fn server_tokens(this: &mut Tokens, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.text = match &call.arg(0).text[..] {
        b"on" | b"build" => Text::Full,
        b"off" => Text::Name,
        _ => Text::Own(Template::compile(call.arg(0), draft)?),
    };
    Ok(())
}

impl Tokens {
    /// The name; empty if the server shall not be named.
    pub fn name(&self, x: &Exchange) -> Bytes {
        match &self.text {
            Text::Full => FULL.into(),
            Text::Name => NAME.into(),
            Text::Own(template) => Bytes::from(Arc::from(&*template.value(x))),
        }
    }
}
