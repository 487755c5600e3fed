//! `directives`: the reference, as the tables have it.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::conf::diagnostic::suggest;
use crate::conf::table::Directive;
use crate::master::load;
use crate::site::{scope, unbuilt};

/// Columns of the text.
const WIDTH: usize = 80;

/// `include` is of the language, which has no table.
const INCLUDE: &str = "\
include
    arguments: 1
    context:   any
    module:    ngx_core_module
    Reads a file in its place, or all files that a mask matches (`*.conf`), in
    the order of their names. A relative path starts at the directory of the
    configuration file. A file that is missing is an error; a mask that matches
    nothing is not.
";

/// What the reference says, each directive by its name.
type Texts = BTreeMap<&'static str, Vec<String>>;

/// All directives, by name.
pub fn all() -> String {
    texts()
        .into_values()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n")
}

/// One directive.
///
/// # Errors
/// Why there is none of that name, with what is known.
pub fn one(name: &str) -> Result<String, String> {
    let texts = texts();
    if let Some(found) = texts.get(name) {
        return Ok(found.join("\n"));
    }
    if let Some(known) = unbuilt::find(name).first() {
        return Err(format!(
            "directive \"{name}\" of {}: {}",
            known.module, known.why
        ));
    }
    let near = suggest(name, texts.keys().copied());
    let near = near
        .map(|near| format!(", did you mean \"{near}\"?"))
        .unwrap_or_default();
    Err(format!("unknown directive \"{name}\"{near}"))
}

fn texts() -> Texts {
    let mut texts = Texts::from([("include", vec![INCLUDE.to_owned()])]);
    load::table()
        .rows()
        .iter()
        .for_each(|row| add(&mut texts, row));
    scope::table()
        .rows()
        .iter()
        .for_each(|row| add(&mut texts, row));
    texts
}

fn add<T, S>(texts: &mut Texts, row: &Directive<T, S>) {
    let contexts = row.contexts.names().collect::<Vec<_>>().join(", ");
    let mut text = format!("{}\n", row.name);
    let mut line = |name: &str, value: &str| {
        let mut name = name;
        for part in wrap(value, 15).lines() {
            let _ = writeln!(text, "    {name:<11}{}", part.trim_start());
            name = "";
        }
    };
    line("arguments:", &row.arity.to_string());
    line("context:", &contexts);
    if !row.default.is_empty() {
        line("default:", row.default);
    }
    line("module:", row.module);
    text += &wrap(row.doc, 4);
    texts.entry(row.name).or_default().push(text);
}

/// A paragraph, indented by so many columns, in lines of at most [`WIDTH`].
fn wrap(paragraph: &str, indent: usize) -> String {
    let mut text = String::new();
    let mut column = WIDTH;
    for word in paragraph.split_whitespace() {
        let width = word.chars().count() + 1;
        if column + width > WIDTH {
            text += if text.is_empty() { "" } else { "\n" };
            text += &" ".repeat(indent - 1);
            column = indent - 1;
        }
        text.push(' ');
        text += word;
        column += width;
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_directive() {
        let text = one("worker_processes").expect("known");
        assert!(text.starts_with("worker_processes\n    arguments: 1\n    context:   main\n"));
        assert!(text.contains("    default:   1\n") && text.contains("\n    How many workers"));
        assert!(all().contains(&text));
    }

    #[test]
    fn the_language_is_part_of_it() {
        assert!(
            one("include")
                .expect("known")
                .starts_with("include\n    arguments: 1\n")
        );
        assert!(all().lines().any(|line| line == "include"));
    }

    #[test]
    fn unknown_ones_are_explained() {
        let misspelt = one("worker_proceses").expect_err("unknown");
        assert!(
            misspelt.ends_with("did you mean \"worker_processes\"?"),
            "{misspelt}"
        );
        let later = one("proxy_pass").expect_err("not built");
        assert!(
            later.starts_with("directive \"proxy_pass\" of ngx_http_proxy_module: "),
            "{later}"
        );
    }

    #[test]
    fn lines_are_wrapped() {
        let text = wrap(&"word ".repeat(60), 4);
        assert!(
            text.lines()
                .all(|line| line.len() <= WIDTH && line.starts_with("    word"))
        );
        assert_eq!(text.split_whitespace().count(), 60);
        assert!(all().lines().all(|line| line.chars().count() <= 100));
    }
}
