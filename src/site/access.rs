//! Which addresses may see it: `allow`, `deny`.

use std::net::IpAddr;

use super::draft::Draft;
use super::exchange::Exchange;
use super::satisfy::Verdict;
use crate::conf::diagnostic::Reason;
use crate::conf::network::Network;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::directives;
use crate::log::Level;

directives! {
    /// Who may see it.
    pub struct Access in "ngx_http_access_module" with Draft {
        /// Lets clients in: an address, a network (`10.0.0.0/8`), `unix:` or `all`. The first rule
        /// that matches decides.
        rules: Vec<Rule> = Vec::new() =>
            "allow" [HTTP | SERVER | LOCATION | LIMIT_EXCEPT] 1, Replace, "", with(allow);
    }
    also {
        /// Keeps clients out, by the same forms.
        "deny" [HTTP | SERVER | LOCATION | LIMIT_EXCEPT] 1, Replace, "", with(deny);
    }
}

/// One `allow` or `deny`.
#[derive(Clone, Debug)]
pub struct Rule {
    who: Who,
    allow: bool,
    /// The block it stands in.
    block: u64,
}

#[derive(Clone, Debug, PartialEq)]
enum Who {
    All,
    Some(Network),
}

fn allow(this: &mut Access, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    add(this, draft, call, true)
}

fn deny(this: &mut Access, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    add(this, draft, call, false)
}

fn add(this: &mut Access, draft: &mut Draft, call: &Call<'_>, allow: bool) -> Result<(), Reason> {
    let block = draft.block;
    // Either directive replaces what was inherited, so `Call::first` would not do.
    this.rules.retain(|rule| rule.block == block);
    let word = call.arg(0);
    let who = who(word, draft)?;
    this.rules.push(Rule { who, allow, block });
    Ok(())
}

fn who(word: &Word, draft: &mut Draft) -> Result<Who, Reason> {
    match &word.text[..] {
        b"all" => Ok(Who::All),
        b"unix:" => Ok(Who::Some(Network::Unix)),
        _ => Network::parse(word, &mut draft.diagnostics)
            .map(Who::Some)
            .map_err(|_| Reason::about("invalid parameter", word)),
    }
}

impl Who {
    /// Whether a client is meant; no address is a unix socket's client.
    fn is(&self, client: Option<IpAddr>) -> bool {
        match self {
            Who::All => true,
            Who::Some(network) => network.contains(client),
        }
    }
}

/// What the log says of those who are kept out.
pub const FORBIDDEN: &str = "access forbidden by rule";

/// Whether the client's address may see it.
pub fn check(x: &mut Exchange) -> Verdict {
    let client = x.client.ip();
    let rules = &x.location.values.access.rules;
    match rules.iter().find(|rule| rule.who.is(client)) {
        None => Verdict::Silent,
        Some(Rule { allow: true, .. }) => Verdict::Granted,
        Some(_) => {
            // Where one check is enough, another one may still let it in.
            if !x.location.values.satisfy.any {
                x.log(Level::Error, format_args!("{FORBIDDEN}"));
            }
            Verdict::Refused(403)
        }
    }
}
