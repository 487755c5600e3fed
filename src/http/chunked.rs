//! Chunked request bodies (RFC 9112, 7.1), decoded as they come; nothing is copied.

use std::ops::Range;

use super::Fault;

const INVALID: Fault = Fault::bad_request("client sent invalid chunked body");

/// Sixteen digits would be a size that no file offset holds.
const MAX_SIZE_DIGITS: u8 = 15;

/// Bytes of chunk extensions that one body may have: they carry nothing that is used here.
const MAX_EXTENSIONS: u32 = 16 * 1024;

/// What a step took from the input.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Taken {
    /// Bytes that are done with, body and framing.
    pub used: usize,
    /// Where among them the body's bytes are.
    pub data: Range<usize>,
    /// The body ended here.
    pub done: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// The hexadecimal size, so many digits of it read.
    Size(u8),
    /// After the size, up to the line's end.
    Extension,
    /// In a quoted string of an extension.
    Quoted,
    /// After a backslash in it.
    QuotedPair,
    /// The LF that ends the line of the size.
    SizeEnd,
    /// In the chunk.
    Data,
    /// The CR after a chunk.
    DataCr,
    /// The LF after a chunk.
    DataLf,
    /// The start of a trailer field, or of the empty line that ends the body.
    Trailer,
    /// In the name of a trailer field.
    TrailerName,
    /// In its value.
    TrailerValue,
    /// The LF that ends the field.
    TrailerEnd,
    /// The LF of the empty line.
    End,
    /// Past it.
    Done,
}

/// A decoder of one body.
#[derive(Clone, Debug)]
pub struct Chunked {
    state: State,
    /// Bytes of the chunk that are still to come.
    left: u64,
    extensions: u32,
    trailers: usize,
    max_trailers: usize,
}

impl Chunked {
    /// A new body, whose trailers may have so many bytes.
    pub fn new(max_trailers: usize) -> Chunked {
        Chunked {
            state: State::Size(0),
            left: 0,
            extensions: 0,
            trailers: 0,
            max_trailers,
        }
    }

    /// Takes framing, and after it a run of the body's bytes if there is one.
    ///
    /// # Errors
    ///
    /// 400 for what is no chunked body; nothing after it can be told apart.
    pub fn take(&mut self, input: &[u8]) -> Result<Taken, Fault> {
        let mut used = 0;
        while self.state != State::Done {
            if self.state == State::Data {
                return Ok(self.take_data(input, used));
            }
            let Some(&byte) = input.get(used) else { break };
            self.state = self.step(byte)?;
            used += 1;
        }
        Ok(Taken {
            used,
            data: used..used,
            done: self.state == State::Done,
        })
    }

    fn take_data(&mut self, input: &[u8], start: usize) -> Taken {
        let length = self.left.min((input.len() - start) as u64);
        self.left -= length;
        if self.left == 0 {
            self.state = State::DataCr;
        }
        let end = start + length as usize;
        Taken {
            used: end,
            data: start..end,
            done: false,
        }
    }

    /// The state after a byte of framing.
    fn step(&mut self, byte: u8) -> Result<State, Fault> {
        use State::*;
        match (self.state, byte) {
            (Size(digits), _) => self.step_size(digits, byte),
            (Extension, b'\r') => Ok(SizeEnd),
            (Extension, b'"') => self.extend(Quoted),
            (Quoted, b'"') => self.extend(Extension),
            (Quoted, b'\\') => self.extend(QuotedPair),
            (Extension | Quoted | QuotedPair, b'\t' | b' '..=b'~' | 0x80..) => {
                self.extend(if self.state == Extension {
                    Extension
                } else {
                    Quoted
                })
            }
            (SizeEnd, b'\n') if self.left > 0 => Ok(Data),
            (SizeEnd, b'\n') => Ok(Trailer),
            (DataCr, b'\r') => Ok(DataLf),
            (DataLf, b'\n') => Ok(Size(0)),
            (Trailer | TrailerName | TrailerValue | TrailerEnd | End, _) => self.step_trailer(byte),
            _ => Err(INVALID),
        }
    }

    fn step_size(&mut self, digits: u8, byte: u8) -> Result<State, Fault> {
        match byte {
            b'\r' if digits > 0 => Ok(State::SizeEnd),
            b';' | b' ' | b'\t' if digits > 0 => self.extend(State::Extension),
            _ => {
                let digit = (byte as char).to_digit(16).ok_or(INVALID)?;
                if digits == MAX_SIZE_DIGITS {
                    return Err(INVALID);
                }
                self.left = self.left << 4 | u64::from(digit);
                Ok(State::Size(digits + 1))
            }
        }
    }

    fn extend(&mut self, state: State) -> Result<State, Fault> {
        self.extensions += 1;
        if self.extensions > MAX_EXTENSIONS {
            Err(INVALID)
        } else {
            Ok(state)
        }
    }

    fn step_trailer(&mut self, byte: u8) -> Result<State, Fault> {
        use State::*;
        self.trailers += 1;
        if self.trailers > self.max_trailers {
            return Err(Fault {
                status: 494,
                reason: "client sent too large trailers",
            });
        }
        match (self.state, byte) {
            (Trailer, b'\r') => Ok(End),
            (Trailer | End, b'\n') => Ok(Done),
            (TrailerName, b':') => Ok(TrailerValue),
            (Trailer | TrailerName, b'!'..=b'~') if byte != b':' => Ok(TrailerName),
            (TrailerValue, b'\r') => Ok(TrailerEnd),
            (TrailerValue | TrailerEnd, b'\n') => Ok(Trailer),
            (TrailerValue, b'\t' | b' '..=b'~' | 0x80..) => Ok(TrailerValue),
            _ => Err(INVALID),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Decodes all of the input, at most `step` bytes seen at a time. `None`: incomplete.
    fn decode(input: &[u8], step: usize) -> Result<Option<(Vec<u8>, usize)>, Fault> {
        let (mut decoder, mut body, mut at) = (Chunked::new(64), Vec::new(), 0);
        loop {
            let end = input.len().min(at + step);
            let taken = decoder.take(&input[at..end])?;
            body.extend_from_slice(&input[at..end][taken.data]);
            at += taken.used;
            if taken.done {
                return Ok(Some((body, at)));
            }
            if at == input.len() {
                return Ok(None);
            }
        }
    }

    #[test]
    fn bodies() {
        let good: &[(&str, &str, &str)] = &[
            ("0\r\n\r\n", "", ""),
            ("5\r\nhello\r\n0\r\n\r\nGET", "hello", "GET"),
            (
                "A\r\n0123456789\r\n1\r\nx\r\n000\r\n\r\n",
                "0123456789x",
                "",
            ),
            ("000000000000001\r\nx\r\n0\r\n\r\n", "x", ""),
            ("1;a\r\nx\r\n0;b=c\r\n\r\n", "x", ""),
            ("1 ; a = \"b;\\\"\" \r\nx\r\n0\r\n\r\n", "x", ""),
            ("1 \r\nx\r\n0\r\n\r\n", "x", ""),
            ("0\r\nA: b\r\nC:\r\n\r\nrest", "", "rest"),
            ("0\r\nA: b\n\nrest", "", "rest"),
        ];
        for (input, body, rest) in good {
            let expected = (body.as_bytes().to_vec(), input.len() - rest.len());
            for step in [1, 2, 3, 7, 1000] {
                assert_eq!(
                    decode(input.as_bytes(), step),
                    Ok(Some(expected.clone())),
                    "{input:?}"
                );
            }
        }
    }

    #[test]
    fn refused() {
        let bad: &[&str] = &[
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            " 1\r\n",
            ";a\r\n",
            "1\nx\r\n0\r\n\r\n",
            "1\rx",
            "1\r\nxy",
            "1\r\nx\n",
            "1\r\nx\r0",
            "1;a\n",
            "1;a\x01\r\n",
            "1;a=\"\r\n\"\r\n",
            "1;a=\"\\\r",
            "0000000000000001\r\n",
            "ffffffffffffffff\r\n",
            "0\r\n A: b\r\n\r\n",
            "0\r\n: b\r\n\r\n",
            "0\r\nA\r\n\r\n",
            "0\r\nA : b\r\n\r\n",
            "0\r\nA: \x01\r\n\r\n",
            "0\r\nA: b\rc",
            "0\r\n\rx",
        ];
        for input in bad {
            for step in [1, 1000] {
                assert_eq!(decode(input.as_bytes(), step), Err(INVALID), "{input:?}");
            }
        }
    }

    #[test]
    fn bounded() {
        let extension = format!("0;{}", "a".repeat(MAX_EXTENSIONS as usize));
        assert_eq!(decode(extension.as_bytes(), 1000), Err(INVALID));
        let trailers = format!("0\r\n{}\r\n", "A: b\r\n".repeat(20));
        assert_eq!(
            decode(trailers.as_bytes(), 1000).map_err(|fault| fault.status),
            Err(494)
        );
    }

    proptest! {
        #[test]
        fn what_was_chunked_comes_back(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6),
            step in 1usize..50,
        ) {
            let mut input = Vec::new();
            for chunk in &chunks {
                input.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                input.extend_from_slice(chunk);
                input.extend_from_slice(b"\r\n");
            }
            input.extend_from_slice(b"0\r\n\r\n");
            let end = input.len();
            input.extend_from_slice(b"GET /");
            prop_assert_eq!(decode(&input, step), Ok(Some((chunks.concat(), end))));
        }

        #[test]
        fn splits_make_no_difference(input in "[0-2a;\": A\r\n]{0,40}", step in 1usize..9) {
            prop_assert_eq!(decode(input.as_bytes(), step), decode(input.as_bytes(), 1000));
        }
    }
}
