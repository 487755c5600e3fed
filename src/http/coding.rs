//! Content codings, and which of them a client takes (RFC 9110 sections 8.4.1 and 12.5.3). What is
//! done with bytes to code them stands elsewhere.

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Coding {
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// All of them, in the order in which they make bodies smaller, for levels of like cost.
    pub const ALL: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

    /// Its name in `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    /// What the name of a file so coded ends in.
    pub fn extension(self) -> &'static str {
        match self {
            Coding::Brotli => ".br",
            Coding::Zstd => ".zst",
            Coding::Gzip => ".gz",
        }
    }

    /// The coding of this name; case does not matter.
    pub fn named(name: &[u8]) -> Option<Coding> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let gzip = is("x-gzip").then_some(Coding::Gzip);
        let known = Coding::ALL.into_iter().find(|coding| is(coding.name()));
        known.or(gzip)
    }
}

/// A quality value in thousandths.
type Weight = u16;

/// What a client takes: the value of `Accept-Encoding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    codings: [Option<Weight>; Coding::ALL.len()],
    identity: Option<Weight>,
    others: Option<Weight>,
}

impl Accepted {
    /// Reads the field's lines. Of a coding that is named twice the first word counts; what is no
    /// list of codings is passed over. No line at all takes no coding: nobody has one to lose.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Accepted {
        let mut accepted = Accepted::default();
        for element in lines
            .into_iter()
            .flat_map(|line| line.split(|&b| b == b','))
        {
            let (name, parameter) = match element.iter().position(|&b| b == b';') {
                Some(at) => (&element[..at], Some(&element[at + 1..])),
                None => (element, None),
            };
            if let Some(weight) = parameter.map_or(Some(1000), weight) {
                accepted.note(name.trim_ascii(), weight);
            }
        }
        accepted
    }

    fn note(&mut self, name: &[u8], weight: Weight) {
        let place = match Coding::named(name) {
            Some(coding) => &mut self.codings[coding as usize],
            None if name == b"*" => &mut self.others,
            None if name.eq_ignore_ascii_case(b"identity") => &mut self.identity,
            None => return,
        };
        place.get_or_insert(weight);
    }

    fn weight(&self, coding: Coding) -> Weight {
        let named = self.codings[coding as usize];
        named.or(self.others).unwrap_or(0)
    }

    /// Whether the client takes it.
    pub fn takes(&self, coding: Coding) -> bool {
        self.weight(coding) > 0
    }

    /// Those of the offered codings that the client takes, the best first: what it likes more, then
    /// what makes fewer bytes. None that it likes less than a body without any.
    pub fn ranked(&self, offered: impl Fn(Coding) -> bool) -> impl Iterator<Item = Coding> {
        let least = self.identity.unwrap_or(0).max(1);
        let mut ranked = Coding::ALL.map(|coding| (1000 - self.weight(coding), coding));
        ranked.sort_unstable();
        let taken = ranked.map(|(_, coding)| {
            Some(coding).filter(|&coding| self.weight(coding) >= least && offered(coding))
        });
        taken.into_iter().flatten()
    }

    /// The first of [`Accepted::ranked`].
    pub fn best(&self, offered: impl Fn(Coding) -> bool) -> Option<Coding> {
        self.ranked(offered).next()
    }
}

/// `q=0.5`, with blanks around it, in thousandths.
fn weight(parameter: &[u8]) -> Option<Weight> {
    let [b'q' | b'Q', b'=', whole @ (b'0' | b'1'), rest @ ..] = parameter.trim_ascii() else {
        return None;
    };
    let digits = match rest {
        [] => rest,
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return None,
    };
    let mut weight = Weight::from(whole - b'0') * 1000;
    for (digit, scale) in digits.iter().zip([100, 10, 1]) {
        weight += Weight::from(digit.is_ascii_digit().then(|| digit - b'0')?) * scale;
    }
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Accepted {
        Accepted::parse([value.as_bytes()])
    }

    #[test]
    fn the_best_of_what_is_taken() {
        for (value, expected) in [
            ("gzip", "gzip"),
            ("gzip, deflate, br, zstd", "br zstd gzip"),
            ("deflate, gzip;q=1.0, *;q=0.5", "gzip br zstd"),
            ("br;q=0.2,zstd;q=0.3;,gzip;q=0.1", "br gzip"),
            ("GZIP ; q=0.001", "gzip"),
            ("gzip;q=0", ""),
            ("gzip;q=0.000, br;q=0.", ""),
            ("gzip;q=0, *", "br zstd"),
            ("gzip, gzip;q=0", "gzip"),
            ("x-gzip", "gzip"),
            ("*", "br zstd gzip"),
            ("*;q=0", ""),
            ("*;q=0, zstd", "zstd"),
            ("identity", ""),
            ("identity, gzip;q=0.5", ""),
            ("identity;q=0.5, gzip;q=0.5", "gzip"),
            ("identity;q=0, gzip", "gzip"),
            ("identity;q=1, *;q=0", ""),
            ("", ""),
            (" , ;q=1,, gzip", "gzip"),
            ("gzip;q=1.001", ""),
            ("gzip;q=2", ""),
            ("gzip;q=0.5555", ""),
            ("gzip;q=", ""),
            ("gzip;q=.5", ""),
            ("gzip;q=0.x", ""),
            ("gzip;level=9", ""),
            ("gzipped, bro", ""),
            ("gzip br", ""),
        ] {
            let ranked: Vec<_> = parse(value).ranked(|_| true).map(Coding::name).collect();
            assert_eq!(ranked.join(" "), expected, "{value}");
        }
    }

    #[test]
    fn only_what_is_offered() {
        let accepted = parse("gzip, br;q=0.9");
        assert_eq!(accepted.best(|_| true), Some(Coding::Gzip));
        let offered = |coding| coding != Coding::Gzip;
        assert_eq!(accepted.best(offered), Some(Coding::Brotli));
        assert_eq!(accepted.best(|_| false), None);
    }

    #[test]
    fn several_lines_are_one_list_and_none_takes_nothing() {
        let accepted = Accepted::parse([&b"gzip"[..], b"br"]);
        assert!(accepted.takes(Coding::Gzip) && accepted.takes(Coding::Brotli));
        assert!(!accepted.takes(Coding::Zstd));
        assert_eq!(Accepted::parse([]).best(|_| true), None);
    }
}
