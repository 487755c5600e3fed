//! What some browsers need: pages long enough to be shown in place of their own, and redirects
//! that they follow (`msie_padding`, `msie_refresh`).

use crate::conf::value;
use crate::directives;
use crate::site::answer::Answer;
use crate::site::browser::Browser;
use crate::site::draft::Draft;
use crate::site::exchange::Exchange;

directives! {
    /// What some browsers need.
    pub struct Allowances in "ngx_http_core_module" with Draft {
        /// Makes error pages longer for Internet Explorer and Chrome, which show short ones of
        /// their own instead.
        padding: bool = true =>
            "msie_padding" [HTTP | SERVER | LOCATION] 1, Clone, "on", set(value::flag);
        /// Redirects Internet Explorer by a page instead of a status.
        refresh: bool = false =>
            "msie_refresh" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
    }
}

const PADDING: &str = "<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n";

/// What is to be appended to the page of an error.
pub fn padding(x: &Exchange, status: u16) -> Vec<u8> {
    let wanted = x.location.values.allowances.padding && status >= 400;
    let shown = || matches!(Browser::of(x), Browser::Msie { .. } | Browser::Chrome);
    match wanted && shown() {
        true => PADDING.repeat(6).into_bytes(),
        false => Vec::new(),
    }
}

/// The page that redirects in place of this status, if one is wanted.
pub fn refresh(x: &mut Exchange, status: u16) -> Option<Answer> {
    let wanted = matches!(status, 301 | 302) && x.location.values.allowances.refresh;
    if !wanted || !matches!(Browser::of(x), Browser::Msie { .. }) {
        return None;
    }
    let mut page = b"<html><head><meta http-equiv=\"Refresh\" content=\"0; URL=".to_vec();
    for byte in x.leads_to.take()? {
        match byte {
            ..=b' ' | b'"' | b'\'' | b'<' | b'>' | 0x7f.. => {
                page.extend_from_slice(format!("%{byte:02X}").as_bytes());
            }
            _ => page.push(byte),
        }
    }
    page.extend_from_slice(b"\"></head><body></body></html>\r\n");
    Some(Answer::bytes(200, "text/html", page))
}
