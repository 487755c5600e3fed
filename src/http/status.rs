//! Reason phrases, in nginx's words, and what a status says about its answer.

/// The phrase of a status line; empty for a status that nginx has no phrase for. Two are RFC 9110's
/// and 6585's: 417 and 431, which nginx never sends of itself.
pub fn phrase(status: u16) -> &'static str {
    match on_the_wire(status) {
        100 => "Continue",
        101 => "Switching Protocols",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Time-out",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}

/// The status on the wire: nginx's 494 to 497, which `error_page` can tell apart, go out as 400.
pub fn on_the_wire(status: u16) -> u16 {
    match status {
        494..=497 => 400,
        other => other,
    }
}

/// Whether an answer of this status never has a body (RFC 9110, 6.4.1).
pub fn is_bodiless(status: u16) -> bool {
    matches!(status, 100..=199 | 204 | 304)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_those_of_nginx() {
        let cases = [
            (200, "OK"),
            (302, "Moved Temporarily"),
            (401, "Unauthorized"),
            (404, "Not Found"),
            (413, "Request Entity Too Large"),
            (416, "Requested Range Not Satisfiable"),
            (418, ""),
            (494, "Bad Request"),
            (498, ""),
            (504, "Gateway Time-out"),
            (599, ""),
        ];
        for (status, expected) in cases {
            assert_eq!(phrase(status), expected, "{status}");
        }
    }
}
