//! Directives that are known and not built: later work, NGINX Plus, other modules. A table to look
//! names up in; what is said about them is said by the code that walks the configuration.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::conf::diagnostic::Severity;
use crate::conf::table::{Contexts, Stranger};
use crate::conf::tree::{Item, Word};

/// A directive that is known and not built, in some contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbuilt {
    /// The module it belongs to.
    pub module: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Where it may stand, separated by commas (`http,server,if in location`); `any` when that is
    /// not known.
    pub contexts: &'static str,
    /// The number of arguments as in the reference (`1`, `1,2`, `1+`, `1:on|off`), with `{block}`
    /// for a block.
    pub args: &'static str,
    /// What it costs to ignore it: an error when something else would be served, or to someone
    /// else.
    pub severity: Severity,
    /// First arguments, separated by `|`, with which ignoring an error of a directive costs nothing
    /// (`off`).
    harmless: &'static str,
    /// Why it is not there: `not built yet: reverse proxying`.
    pub why: &'static str,
}

impl Unbuilt {
    /// Whether it may stand in a context of this name.
    pub fn allowed_in(&self, context: &str) -> bool {
        self.contexts == "any" || self.contexts.split(',').any(|allowed| allowed == context)
    }

    /// What it costs to ignore it with these arguments: `auth_basic off` asks for nothing.
    pub fn severity_with(&self, args: &[Word]) -> Severity {
        let asked = args.first().map(Word::str);
        let harmless = asked.is_some_and(|word| self.harmless.split('|').any(|off| off == word));
        if harmless {
            Severity::Notice
        } else {
            self.severity
        }
    }
}

/// The meanings of a name, one for each module that has it; none when the name is unknown.
pub fn find(name: &str) -> &'static [Unbuilt] {
    TABLE.get(name).map_or(&[], Vec::as_slice)
}

/// The meaning of a name in a context.
pub fn find_in(name: &str, context: &str) -> Option<&'static Unbuilt> {
    find(name)
        .iter()
        .find(|unbuilt| unbuilt.allowed_in(context))
}

/// What the directive tables say about a name that is in none of them.
pub fn stranger(item: &Item, context: Contexts) -> Stranger {
    let name = item.name.str();
    let known = find(&name);
    let here = known
        .iter()
        .find(|unbuilt| context.names().any(|name| unbuilt.allowed_in(name)));
    match here
        .or(known.first())
        .map(|unbuilt| (unbuilt, unbuilt.severity_with(&item.args)))
    {
        None => Stranger::Unknown,
        Some((unbuilt, Severity::Error)) => Stranger::Error(unbuilt.why.to_owned()),
        Some((unbuilt, _)) => Stranger::Notice(unbuilt.why.to_owned()),
    }
}

/// Every name there is, for suggestions.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.keys().copied()
}

static TABLE: LazyLock<HashMap<&'static str, Vec<Unbuilt>>> = LazyLock::new(|| {
    let mut table: HashMap<_, Vec<Unbuilt>> = HashMap::new();
    for row in include_str!("unbuilt.tsv")
        .lines()
        .skip(1)
        .filter_map(parse)
    {
        table.entry(row.name).or_default().push(row);
    }
    table
});

fn parse(line: &'static str) -> Option<Unbuilt> {
    let mut columns = line.split('\t');
    let mut column = || columns.next();
    Some(Unbuilt {
        module: column()?,
        name: column()?,
        contexts: column()?,
        args: column()?,
        severity: match column()? {
            "error" => Severity::Error,
            _ => Severity::Notice,
        },
        harmless: column()?,
        why: column()?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::conf::source::Place;

    fn words(text: &str) -> Vec<Word> {
        let word = |text: &str| Word {
            text: text.into(),
            place: Place::default(),
        };
        text.split_whitespace().map(word).collect()
    }

    #[test]
    fn every_row_is_whole_and_unique_in_its_contexts() {
        let mut seen = HashSet::new();
        let lines: Vec<_> = include_str!("unbuilt.tsv").lines().skip(1).collect();
        for line in &lines {
            let columns: Vec<_> = line.split('\t').collect();
            let [module, name, contexts, args, severity, _, why] = columns[..] else {
                panic!("{line}")
            };
            assert!(
                [module, name, contexts, args, why]
                    .iter()
                    .all(|text| !text.is_empty()),
                "{line}"
            );
            assert!(["error", "notice"].contains(&severity), "{line}");
            for context in contexts.split(',') {
                assert!(seen.insert((name, context)), "{line}");
            }
        }
        assert_eq!(
            names().map(|name| find(name).len()).sum::<usize>(),
            lines.len()
        );
        assert!(lines.len() > 700);
    }

    #[test]
    fn a_name_that_is_known_anywhere_is_known_nowhere_else() {
        for name in names() {
            let anywhere = find(name).iter().any(|unbuilt| unbuilt.contexts == "any");
            assert!(!anywhere || find(name).len() == 1, "{name}");
        }
    }

    #[test]
    fn what_is_served_or_to_whom_decides() {
        let cases = [
            "location: proxy_pass http://a: Error: not built yet: reverse proxying",
            "http: proxy_set_header Host $host: Notice: not built yet: reverse proxying",
            "location: fastcgi_pass unix:/x: Error: not supported: FastCGI",
            "server: auth_jwt closed: Error: NGINX Plus only",
            "location: auth_jwt off: Notice: NGINX Plus only",
            "server: ssl_certificate a.pem: Notice: not built yet: TLS",
            "server: ssl_verify_client on: Error: not built yet: TLS",
            "main: stream: Error: not supported: proxying of TCP and UDP",
            "stream: map $a $b: Error: not supported: proxying of TCP and UDP",
            "location: content_by_lua_block: Error: third-party module lua-nginx",
            "location: more_set_headers a: Error: third-party module headers-more",
            "location: api: Error: NGINX Plus only",
            "http: lua_package_path x: Notice: third-party module lua-nginx",
        ];
        for case in cases {
            let (context, rest) = case.split_once(": ").unwrap();
            let (written, expected) = rest.split_once(": ").unwrap();
            let words = words(written);
            let unbuilt = find_in(&words[0].str(), context).unwrap_or_else(|| panic!("{case}"));
            let severity = unbuilt.severity_with(&words[1..]);
            assert_eq!(format!("{severity:?}: {}", unbuilt.why), expected, "{case}");
        }
        assert!(find_in("proxy_pass", "http").is_none() && find("root").is_empty());
        assert!(find("proxy_pass")[0].allowed_in("limit_except"));
    }
}
