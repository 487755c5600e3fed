//! A directory listing as nginx's autoindex lays it out: one line per entry in fixed columns, so
//! that programs which read nginx's listings read these. Reading the directory is done elsewhere.

use std::fmt::{self, Display, Formatter};

use super::HEAD;
use super::escape::{Segment, Text};

const STYLE: &str = "<style>
:root{color-scheme:light dark}
body{font-family:system-ui,sans-serif;max-width:max-content;margin:2rem auto;padding:0 1rem}
h1{font-weight:500;overflow-wrap:anywhere}
hr{border:0;border-top:1px solid #8888}
pre{font:14px/1.6 ui-monospace,monospace;overflow-x:auto}
a{text-decoration:none;unicode-bidi:isolate}
a:hover,a:focus{text-decoration:underline}
</style>";

/// Characters in the column of names; longer names are cut and end in `..>`.
const NAME_WIDTH: usize = 50;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// One entry of a directory. nginx leaves out those whose name starts with a dot.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The name as the file system has it, in no particular encoding.
    pub name: Vec<u8>,
    /// Whether it is, or links to, a directory.
    pub directory: bool,
    /// Bytes; not shown for a directory.
    pub size: u64,
    /// Time of the last modification, in the zone it is shown in (`autoindex_localtime`).
    pub modified: Stamp,
}

/// A calendar time, to the minute.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// Year of the Gregorian calendar.
    pub year: i64,
    /// 1 to 12; what is outside counts as the nearest.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

impl Display for Stamp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Stamp {
            year,
            month,
            day,
            hour,
            minute,
        } = self;
        let month = MONTHS[usize::from(*month).clamp(1, 12) - 1];
        write!(f, "{day:02}-{month}-{year} {hour:02}:{minute:02}")
    }
}

/// How sizes are shown (`autoindex_exact_size`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sizes {
    /// In bytes.
    Exact,
    /// Rounded to K, M or G once they have five digits.
    Rounded,
}

impl Sizes {
    /// The column of sizes, as wide as nginx's.
    fn column(self, entry: &Entry) -> String {
        let (width, size) = match self {
            Sizes::Exact => (19, entry.size.to_string()),
            Sizes::Rounded => (7, rounded(entry.size)),
        };
        let shown = if entry.directory { "-" } else { &size };
        format!("{shown:>width$}")
    }
}

/// `size` in the largest unit that leaves at least 1, halves rounded up; plain up to 9999.
fn rounded(size: u64) -> String {
    let (shift, unit) = match size {
        0..10_000 => return size.to_string(),
        10_000..0x10_0000 => (10, 'K'),
        0x10_0000..0x4000_0000 => (20, 'M'),
        _ => (30, 'G'),
    };
    format!("{}{unit}", (size >> shift) + (size >> (shift - 1) & 1))
}

/// The listing of the directory at the decoded path `uri`: directories first, then files, each
/// sorted by the bytes of their names.
pub fn listing(uri: &[u8], mut entries: Vec<Entry>, sizes: Sizes) -> Vec<u8> {
    entries.sort_unstable_by(|a, b| {
        b.directory
            .cmp(&a.directory)
            .then_with(|| a.name.cmp(&b.name))
    });
    let uri = String::from_utf8_lossy(uri);
    let title = format!("Index of {}", Text(&uri));
    let lines: String = entries.iter().map(|entry| line(entry, sizes)).collect();
    let page = format!(
        "{HEAD}<title>{title}</title>\n{STYLE}\n</head>\n<body>\n<h1>{title}</h1><hr>\
         <pre><a href=\"../\">../</a>\n{lines}</pre><hr>\n</body>\n</html>\n"
    );
    page.into_bytes()
}

/// Link, padding, date and size, as `<a href="a/">a/</a>   20-Nov-2026 12:24   -`.
fn line(entry: &Entry, sizes: Sizes) -> String {
    let slash = if entry.directory { "/" } else { "" };
    let name = shown_name(entry);
    let padding = NAME_WIDTH - name.chars().count();
    format!(
        "<a href=\"{}{slash}\">{}</a>{:padding$} {} {}\n",
        Segment(&entry.name),
        Text(&name),
        "",
        entry.modified,
        sizes.column(entry)
    )
}

/// The name as it is read, at most `NAME_WIDTH` characters; the slash of a directory is shown
/// where it fits.
fn shown_name(entry: &Entry) -> String {
    let name = String::from_utf8_lossy(&entry.name);
    match name.chars().count() {
        length if length > NAME_WIDTH => name
            .chars()
            .take(NAME_WIDTH - 3)
            .chain("..>".chars())
            .collect(),
        length if length < NAME_WIDTH && entry.directory => format!("{name}/"),
        _ => name.into_owned(),
    }
}
