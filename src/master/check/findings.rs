//! What a checker hands to its master: the transcript of a configuration that can be loaded, or the
//! lines that say why it cannot.

use crate::conf::packed;
use crate::log::Level;

/// A line for the error log.
pub type Line = (Level, String);

/// What comes of a check.
#[derive(Debug, PartialEq, Eq)]
pub enum Findings {
    /// It can be loaded from this transcript.
    Sound(Vec<u8>),
    /// It cannot.
    Refused(Refusal),
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error that is logged last.
    pub why: String,
    /// What is logged before.
    pub lines: Vec<Line>,
}

impl Refusal {
    /// One error and nothing else.
    pub fn new(why: impl Into<String>) -> Refusal {
        Refusal {
            why: why.into(),
            lines: Vec::new(),
        }
    }
}

const SOUND: u8 = b's';
const REFUSED: u8 = b'r';

impl Findings {
    /// As bytes.
    pub fn pack(&self) -> Vec<u8> {
        match self {
            Findings::Sound(transcript) => [&[SOUND], &transcript[..]].concat(),
            Findings::Refused(refusal) => {
                let mut out = vec![REFUSED];
                packed::put(&mut out, refusal.why.as_bytes());
                for (level, text) in &refusal.lines {
                    packed::put_list(&mut out, &[level.name(), text]);
                }
                out
            }
        }
    }

    /// From bytes; `None` for any that are no findings.
    pub fn unpack(mut bytes: Vec<u8>) -> Option<Findings> {
        match bytes.split_first()? {
            (&SOUND, _) => {
                // In place: a transcript may be as large as memory allows.
                bytes.remove(0);
                Some(Findings::Sound(bytes))
            }
            (&REFUSED, mut rest) => {
                let why = text(packed::take(&mut rest)?);
                let mut lines = Vec::new();
                while !rest.is_empty() {
                    lines.push(line(packed::take_list(&mut rest)?)?);
                }
                Some(Findings::Refused(Refusal { why, lines }))
            }
            _ => None,
        }
    }
}

fn line(words: Vec<Vec<u8>>) -> Option<Line> {
    let [level, said] = &words[..] else {
        return None;
    };
    Some((text(level).parse().ok()?, text(said)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn samples() -> [Findings; 4] {
        let lines = vec![(Level::Notice, "n".into()), (Level::Emerg, String::new())];
        let refusal = Refusal {
            why: "why".into(),
            lines,
        };
        [
            Findings::Sound(b"transcript".to_vec()),
            Findings::Sound(Vec::new()),
            Findings::Refused(Refusal::new("why")),
            Findings::Refused(refusal),
        ]
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        for findings in samples() {
            assert_eq!(Findings::unpack(findings.pack()), Some(findings));
        }
    }

    #[test]
    fn a_refusal_cut_short_is_none() {
        let packed = samples()[3].pack();
        let whole =
            (0..packed.len()).filter(|&end| Findings::unpack(packed[..end].to_vec()).is_some());
        // Where one line ends and the next begins.
        assert_eq!(whole.count(), 2);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for tag in [SOUND, REFUSED] {
                Findings::unpack([&[tag], &bytes[..]].concat());
            }
            Findings::unpack(bytes);
        }
    }
}
