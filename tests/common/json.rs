//! JSON (RFC 8259), read strictly: what is not allowed panics.

use std::ops::Index;

/// A value. An object's members keep their order, and no name may come twice.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a text that holds one value and white space.
    pub fn read(text: &str) -> Json {
        let mut rest = text;
        let value = value(&mut rest);
        skip_space(&mut rest);
        assert_eq!(rest, "", "after the value");
        value
    }

    /// The items of a list.
    pub fn items(&self) -> &[Json] {
        match self {
            Json::List(items) => items,
            other => panic!("no list: {other:?}"),
        }
    }

    /// A number.
    pub fn number(&self) -> f64 {
        match self {
            Json::Number(number) => *number,
            other => panic!("no number: {other:?}"),
        }
    }

    /// A text.
    pub fn text(&self) -> &str {
        match self {
            Json::Text(text) => text,
            other => panic!("no text: {other:?}"),
        }
    }
}

impl Index<&str> for Json {
    type Output = Json;

    fn index(&self, name: &str) -> &Json {
        let Json::Object(members) = self else {
            panic!("no object: {self:?}")
        };
        let found = members.iter().find(|(other, _)| other == name);
        &found.unwrap_or_else(|| panic!("no {name} in {self:?}")).1
    }
}

fn value(rest: &mut &str) -> Json {
    skip_space(rest);
    let words = [
        ("null", Json::Null),
        ("true", Json::Bool(true)),
        ("false", Json::Bool(false)),
    ];
    for (word, value) in words {
        if let Some(after) = rest.strip_prefix(word) {
            *rest = after;
            return value;
        }
    }
    match rest.chars().next().expect("a value") {
        '"' => Json::Text(string(rest)),
        '[' => Json::List(separated(rest, '[', ']', value)),
        '{' => Json::Object(object(rest)),
        _ => number(rest),
    }
}

fn object(rest: &mut &str) -> Vec<(String, Json)> {
    let members = separated(rest, '{', '}', |rest| {
        skip_space(rest);
        let name = string(rest);
        skip_space(rest);
        take(rest, ':');
        (name, value(rest))
    });
    for (number, (name, _)) in members.iter().enumerate() {
        assert!(
            members[..number].iter().all(|(other, _)| other != name),
            "{name} twice"
        );
    }
    members
}

fn separated<T>(rest: &mut &str, open: char, close: char, item: impl Fn(&mut &str) -> T) -> Vec<T> {
    take(rest, open);
    skip_space(rest);
    let mut items = Vec::new();
    while !rest.starts_with(close) {
        if !items.is_empty() {
            take(rest, ',');
        }
        items.push(item(rest));
        skip_space(rest);
    }
    take(rest, close);
    items
}

fn string(rest: &mut &str) -> String {
    take(rest, '"');
    let mut text = String::new();
    loop {
        match next(rest) {
            '"' => return text,
            '\\' => text.push(escaped(rest)),
            control if control < ' ' => panic!("{control:?} in a string"),
            other => text.push(other),
        }
    }
}

fn escaped(rest: &mut &str) -> char {
    match next(rest) {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => {
            let digits: String = (0..4).map(|_| next(rest)).collect();
            let number = u32::from_str_radix(&digits, 16).expect("four digits");
            char::from_u32(number).expect("a character of its own")
        }
        same @ ('"' | '\\' | '/') => same,
        other => panic!("\\{other} in a string"),
    }
}

fn number(rest: &mut &str) -> Json {
    let end = rest.find(|c: char| !c.is_ascii_digit() && !"+-.eE".contains(c));
    let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
    *rest = after;
    let digits = number.strip_prefix('-').unwrap_or(number);
    assert!(
        digits.starts_with(|c: char| c.is_ascii_digit()),
        "no value: {number:?}"
    );
    assert!(!digits.starts_with('0') || !digits[1..].starts_with(|c: char| c.is_ascii_digit()));
    assert!(!digits.ends_with('.') && !digits.contains(".e") && !digits.contains(".E"));
    Json::Number(number.parse().expect("a number"))
}

fn skip_space(rest: &mut &str) {
    *rest = rest.trim_start_matches([' ', '\t', '\n', '\r']);
}

fn take(rest: &mut &str, wanted: char) {
    assert_eq!(next(rest), wanted);
}

fn next(rest: &mut &str) -> char {
    let mut chars = rest.chars();
    let character = chars.next().expect("more");
    *rest = chars.as_str();
    character
}
