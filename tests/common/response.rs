//! A strict reader of responses: what it accepts is well-formed HTTP/1.1 with an unambiguous end.

/// A response as received; field values are kept byte for byte, as Latin-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub reason: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Fields behind a chunked body.
    pub trailers: Vec<(String, String)>,
}

impl Response {
    /// Reads a response from the start of `input`: `None` asks for more bytes. `head` says that the
    /// request was a HEAD, `ended` that no bytes will follow. Returns the bytes used as well.
    pub fn parse(input: &[u8], head: bool, ended: bool) -> Result<Option<(Self, usize)>, String> {
        let Some(end) = find(input, b"\r\n\r\n") else {
            return Ok(None);
        };
        let text: String = input[..end].iter().map(|&byte| char::from(byte)).collect();
        let mut lines = text.split("\r\n");
        let (status, reason) = status_line(lines.next().unwrap_or_default())?;
        let headers = lines.map(field).collect::<Result<Vec<_>, _>>()?;
        let mut response = Self {
            status,
            reason,
            headers,
            body: Vec::new(),
            trailers: Vec::new(),
        };
        let rest = &input[end + 4..];
        let Some(body) = response.read_body(rest, head, ended)? else {
            return Ok(None);
        };
        (response.body, response.trailers) = (body.bytes, body.trailers);
        Ok(Some((response, end + 4 + body.used)))
    }

    /// The body as Latin-1, which loses nothing.
    pub fn latin1(&self) -> String {
        self.body.iter().map(|&byte| char::from(byte)).collect()
    }

    /// The value of a field that occurs at most once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(
            values.len() < 2,
            "{name} occurs {} times: {self:?}",
            values.len()
        );
        values.first().copied()
    }

    /// All values of a field, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.headers.iter();
        fields
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
            .collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// RFC 9112 6.3: the length of the body, and the fields that must and must not stand with it.
    fn read_body(&self, rest: &[u8], head: bool, ended: bool) -> Result<Option<Body>, String> {
        let length = self.content_length()?;
        let chunked = match self.all("Transfer-Encoding")[..] {
            [] => false,
            ["chunked"] => true,
            ref other => return Err(format!("Transfer-Encoding is {other:?}")),
        };
        if chunked && length.is_some() {
            return Err("both Content-Length and Transfer-Encoding".into());
        }
        if matches!(self.status, 100..200 | 204) && (chunked || length.is_some()) {
            return Err(format!("a {} announces a body", self.status));
        }
        if self.status >= 200 && self.all("Date").len() != 1 {
            return Err("not exactly one Date".into());
        }
        if head || matches!(self.status, 100..200 | 204 | 304) {
            return Ok(Some(Body::default()));
        }
        match (length, chunked) {
            (Some(length), _) => Ok(rest.get(..length).map(Body::plain)),
            (None, true) => dechunk(rest),
            (None, false) if self.header("Connection") != Some("close") => {
                Err("a body of unknown length on a connection that stays".into())
            }
            (None, false) => Ok(ended.then(|| Body::plain(rest))),
        }
    }

    fn content_length(&self) -> Result<Option<usize>, String> {
        match self.all("Content-Length")[..] {
            [] => Ok(None),
            [value] if value.bytes().all(|byte| byte.is_ascii_digit()) => value
                .parse()
                .map(Some)
                .map_err(|_| format!("Content-Length {value:?}")),
            ref other => Err(format!("Content-Length is {other:?}")),
        }
    }
}

/// A body, the fields behind it, and the bytes they took.
#[derive(Default)]
struct Body {
    bytes: Vec<u8>,
    trailers: Vec<(String, String)>,
    used: usize,
}

impl Body {
    fn plain(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            used: bytes.len(),
            ..Self::default()
        }
    }
}

fn find(input: &[u8], what: &[u8]) -> Option<usize> {
    input.windows(what.len()).position(|window| window == what)
}

fn status_line(line: &str) -> Result<(u16, String), String> {
    let wrong = || format!("status line {line:?}");
    let rest = line.strip_prefix("HTTP/1.1 ").ok_or_else(wrong)?;
    let (code, reason) = rest.split_once(' ').ok_or_else(wrong)?;
    if code.len() != 3 || reason.contains(char::is_control) {
        return Err(wrong());
    }
    Ok((code.parse().map_err(|_| wrong())?, reason.to_owned()))
}

fn field(line: &str) -> Result<(String, String), String> {
    let wrong = || format!("field line {line:?}");
    let (name, value) = line.split_once(':').ok_or_else(wrong)?;
    let token = |char: char| char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char);
    let value = value.strip_prefix(' ').unwrap_or(value);
    if name.is_empty() || !name.chars().all(token) || value.contains(['\r', '\n', '\0']) {
        return Err(wrong());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// A chunked body; `None` while it is incomplete.
fn dechunk(input: &[u8]) -> Result<Option<Body>, String> {
    let mut body = Body::default();
    loop {
        let Some(line) = find(&input[body.used..], b"\r\n") else {
            return Ok(None);
        };
        let size = std::str::from_utf8(&input[body.used..body.used + line]).unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(|_| format!("chunk size {size:?}"))?;
        let start = body.used + line + 2;
        if size == 0 {
            return trailers(input, start, body);
        }
        let Some(chunk) = input.get(start..start + size + 2) else {
            return Ok(None);
        };
        if !chunk.ends_with(b"\r\n") {
            return Err("a chunk does not end in CRLF".into());
        }
        body.bytes.extend_from_slice(&chunk[..size]);
        body.used = start + size + 2;
    }
}

/// The fields behind the last chunk, up to the empty line.
fn trailers(input: &[u8], start: usize, mut body: Body) -> Result<Option<Body>, String> {
    body.used = start;
    loop {
        let rest = &input[body.used..];
        let Some(line) = find(rest, b"\r\n") else {
            return Ok(None);
        };
        body.used += line + 2;
        if line == 0 {
            return Ok(Some(body));
        }
        let text: String = rest[..line].iter().map(|&byte| char::from(byte)).collect();
        body.trailers.push(field(&text)?);
    }
}
