//! The pages the server writes itself: bodies of errors and redirects, and directory listings.
//! Rendering only: values in, bytes out. When a page is sent, and with which head, is decided
//! elsewhere.

mod escape;
mod listing;
#[cfg(test)]
mod tests;
mod title;

pub use listing::{Entry, Sizes, Stamp, listing};

use escape::Text;

/// Opens every page, up to the title. The empty icon keeps browsers from asking for one.
const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
"#;

const STYLE: &str = "<style>
:root{color-scheme:light dark}
body{font-family:system-ui,sans-serif;text-align:center;margin:22vh 1rem}
h1{font-weight:500}
hr{max-width:26rem;border:0;border-top:1px solid #8888}
footer{opacity:.7}
</style>";

/// The body of an answer with `status`, worded as nginx words it and signed with `server` (what
/// `server_tokens` says; no signature when empty). `None` where the answer has no page: a success,
/// 304, and statuses without a reason phrase.
///
/// nginx's own statuses 494 to 497 say what was wrong under the title of the 400 they are sent as.
pub fn error_page(status: u16, server: &[u8]) -> Option<Vec<u8>> {
    let heading = title::heading(status)?;
    let detail = title::detail(status);
    let title = detail.map_or_else(|| heading.clone(), |detail| format!("400 {detail}"));
    let detail = detail
        .map(|detail| format!("<p>{detail}</p>\n"))
        .unwrap_or_default();
    let footer = match server {
        b"" => String::new(),
        server => format!(
            "<hr>\n<footer>{}</footer>\n",
            Text(&String::from_utf8_lossy(server))
        ),
    };
    let page = format!(
        "{HEAD}<title>{title}</title>\n{STYLE}\n</head>\n<body>\n<h1>{heading}</h1>\n\
         {detail}{footer}</body>\n</html>\n"
    );
    Some(page.into_bytes())
}
