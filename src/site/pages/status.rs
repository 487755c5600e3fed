//! The names of statuses, as nginx sends them.

/// The reason phrase of the status line; empty where nginx sends none. Two phrases are RFC 9110's
/// and 6585's: 417 and 431, which nginx never sends of itself.
pub fn reason(status: u16) -> &'static str {
    match sent(status) {
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
pub fn sent(status: u16) -> u16 {
    match status {
        494..=497 => 400,
        status => status,
    }
}

/// The heading of the page of `status`, if it has a page.
pub(super) fn heading(status: u16) -> Option<String> {
    let name = match (status, reason(status)) {
        (..=300 | 304, _) | (_, "") => return None,
        (302, _) => "Found",
        (401, _) => "Authorization Required",
        (_, reason) => reason,
    };
    Some(format!("{} {name}", sent(status)))
}

/// What nginx's page of one of its own statuses says beside "400 Bad Request".
pub(super) fn detail(status: u16) -> Option<&'static str> {
    match status {
        494 => Some("Request Header Or Cookie Too Large"),
        495 => Some("The SSL certificate error"),
        496 => Some("No required SSL certificate was sent"),
        497 => Some("The plain HTTP request was sent to HTTPS port"),
        _ => None,
    }
}
