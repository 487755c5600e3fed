//! Things looked up by the name of a host: exact names come first, then the longest wildcard in
//! front (`*.example.com`), then the longest at the end (`www.example.*`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Things by name, in lower case.
#[derive(Clone, Debug)]
pub struct Wildcards<T> {
    /// By a name itself.
    pub exact: HashMap<Vec<u8>, T>,
    /// By a wildcard in front, without its asterisk (`.example.com`).
    pub leading: HashMap<Vec<u8>, T>,
    /// By a wildcard at the end, without its asterisk (`www.example.`).
    pub trailing: HashMap<Vec<u8>, T>,
}

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is neither a name nor a wildcard.
    Invalid,
    /// Something has it already.
    Taken,
}

impl<T> Default for Wildcards<T> {
    fn default() -> Self {
        Wildcards {
            exact: HashMap::new(),
            leading: HashMap::new(),
            trailing: HashMap::new(),
        }
    }
}

impl<T: Clone> Wildcards<T> {
    /// Adds something under a name, an asterisk in which means itself.
    ///
    /// # Errors
    /// The name is taken.
    pub fn add_exact(&mut self, name: &[u8], thing: T) -> Result<(), Refused> {
        put(&mut self.exact, name, thing)
    }

    /// Adds something under a name or a wildcard; `.example.com` is both the name and all names
    /// below.
    ///
    /// # Errors
    /// The name is taken, or none.
    pub fn add(&mut self, name: &[u8], thing: T) -> Result<(), Refused> {
        let asterisks = name.iter().filter(|&&byte| byte == b'*').count();
        let broken = name.contains(&0) || name.windows(2).any(|pair| pair == b"..");
        if broken || asterisks > 1 {
            return Err(Refused::Invalid);
        }
        match name {
            [b'.', rest @ ..] if !rest.is_empty() => {
                put(&mut self.exact, rest, thing.clone())?;
                put(&mut self.leading, name, thing)
            }
            [b'*', below @ ..] if below.len() > 1 && below[0] == b'.' => {
                put(&mut self.leading, below, thing)
            }
            [above @ .., b'*'] if above.len() > 1 && above.ends_with(b".") => {
                put(&mut self.trailing, above, thing)
            }
            _ if asterisks > 0 => Err(Refused::Invalid),
            _ => put(&mut self.exact, name, thing),
        }
    }
}

impl<T> Wildcards<T> {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.leading.is_empty() && self.trailing.is_empty()
    }

    /// What is there for a host (in lower case).
    pub fn find(&self, host: &[u8]) -> Option<&T> {
        self.exact.get(host).or_else(|| self.wildcard(host))
    }

    fn wildcard(&self, host: &[u8]) -> Option<&T> {
        let dots = || (0..host.len()).filter(|&i| host[i] == b'.');
        let leading = || {
            dots()
                .filter(|&i| i > 0)
                .find_map(|i| self.leading.get(&host[i..]))
        };
        let trailing = || dots().rev().find_map(|i| self.trailing.get(&host[..=i]));
        let leading = (!self.leading.is_empty()).then(leading).flatten();
        leading.or_else(|| (!self.trailing.is_empty()).then(trailing).flatten())
    }
}

fn put<T>(map: &mut HashMap<Vec<u8>, T>, name: &[u8], thing: T) -> Result<(), Refused> {
    match map.entry(name.to_ascii_lowercase()) {
        Entry::Occupied(_) => Err(Refused::Taken),
        Entry::Vacant(place) => {
            place.insert(thing);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_exact_name_is_found() {
        let mut names = Wildcards::default();
        for name in [
            "a.test",
            "*.a.test",
            ".b.a.test",
            "www.a.*",
            "www.*",
            "*.test",
            "",
        ] {
            names.add(name.as_bytes(), name).unwrap();
        }
        for (host, expected) in [
            ("a.test", Some("a.test")),
            ("x.a.test", Some("*.a.test")),
            ("b.a.test", Some(".b.a.test")),
            ("x.y.b.a.test", Some(".b.a.test")),
            ("www.a.org", Some("www.a.*")),
            ("www.a.co.uk", Some("www.a.*")),
            ("www.b.org", Some("www.*")),
            ("www.a", Some("www.*")),
            ("www.b.test", Some("*.test")),
            ("www.", Some("www.*")),
            ("www", None),
            (".test", None),
            ("test", None),
            ("", Some("")),
        ] {
            assert_eq!(names.find(host.as_bytes()).copied(), expected, "{host}");
        }
    }

    #[test]
    fn names_that_are_none_or_taken_are_refused() {
        let mut names = Wildcards::default();
        for (name, expected) in [
            ("a.com", Ok(())),
            ("A.com", Err(Refused::Taken)),
            (".a.com", Err(Refused::Taken)),
            ("*.a.com", Ok(())),
            ("*.b.com", Ok(())),
            (".b.com", Err(Refused::Taken)),
            ("a.*", Ok(())),
            ("a.*", Err(Refused::Taken)),
            ("a*b", Err(Refused::Invalid)),
            ("*", Err(Refused::Invalid)),
            ("*.", Err(Refused::Invalid)),
            ("*.*.b", Err(Refused::Invalid)),
            ("a..b", Err(Refused::Invalid)),
            (".", Ok(())),
        ] {
            assert_eq!(names.add(name.as_bytes(), ()), expected, "{name}");
        }
    }
}
