//! A page that says how many connections there are, and what they are doing.

use std::io::Write;

use super::answer::Answer;
use super::draft::Draft;
use super::exchange::Exchange;
use super::run::Flow;
use super::traffic::{Doing, Traffic};
use super::variables::Declared;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::directives;
use crate::http::Method;
use crate::http::digits::decimal;

directives! {
    /// A page about connections.
    pub struct StubStatus in "ngx_http_stub_status_module" with Draft {
        /// Answers with a page that says how many connections and requests there are and were, in all
        /// workers together.
        enabled: bool = false => "stub_status" [SERVER | LOCATION] 0..=1, Many, "", with(enable);
    }
}

/// The variables of this module.
pub const DECLARED: Declared = Declared {
    variables: &[
        ("connections_active", |x, out| put(out, traffic(x).active)),
        ("connections_reading", |x, out| {
            doing(x, out, Doing::Reading)
        }),
        ("connections_waiting", |x, out| {
            doing(x, out, Doing::Waiting)
        }),
        ("connections_writing", |x, out| {
            doing(x, out, Doing::Writing)
        }),
    ],
    families: &[],
    settable: &[],
};

fn enable(this: &mut StubStatus, _: &mut Draft, _: &Call<'_>) -> Result<(), Reason> {
    this.enabled = true;
    Ok(())
}

fn traffic(x: &Exchange) -> Traffic {
    x.site.traffic.map(|board| board.sum()).unwrap_or_default()
}

fn doing(x: &Exchange, out: &mut Vec<u8>, what: Doing) -> bool {
    put(out, traffic(x).doing[what as usize])
}

fn put(out: &mut Vec<u8>, number: u64) -> bool {
    decimal(out, number);
    true
}

/// Answers with the page, where it is wanted.
pub fn run(x: &mut Exchange) -> Flow {
    if !x.location.own.stub_status.enabled {
        return Flow::Next;
    }
    if !matches!(x.method, Method::Get | Method::Head) {
        return Flow::Fail(405);
    }
    Flow::Answer(Box::new(Answer::bytes(200, "text/plain", page(traffic(x)))))
}

fn page(traffic: Traffic) -> Vec<u8> {
    let Traffic {
        accepted,
        handled,
        requests,
        active,
        doing: [waiting, reading, writing],
    } = traffic;
    let mut page = Vec::new();
    // Memory takes whatever is written to it.
    let _ = write!(
        page,
        "Active connections: {active} \nserver accepts handled requests\n \
         {accepted} {handled} {requests} \n\
         Reading: {reading} Writing: {writing} Waiting: {waiting} \n"
    );
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::testing::server;

    #[test]
    fn the_page_is_that_of_nginx() {
        let traffic = Traffic {
            accepted: 9,
            handled: 8,
            requests: 70,
            active: 6,
            doing: [3, 1, 2],
        };
        let expected = "Active connections: 6 \nserver accepts handled requests\n 9 8 70 \n\
                        Reading: 1 Writing: 2 Waiting: 3 \n";
        assert_eq!(String::from_utf8_lossy(&page(traffic)), expected);
    }

    #[test]
    fn it_stands_in_place_of_files() {
        let kit = server(
            "root /www; index f; stub_status; location /s/ { stub_status on; } location /w { }",
        )
        .file("/www/f", "content")
        .file("/www/s/f", "content")
        .file("/www/w", "file");
        for target in ["/", "/s/", "/s/f", "/none"] {
            assert!(
                kit.get(target).body.starts_with("Active connections: "),
                "{target}"
            );
        }
        assert_eq!(kit.get("/w").body, "file", "not inherited");
        assert_eq!(kit.ask("POST", "/s/", "Content-Length: 0\r\n").status, 405);
        assert_eq!(
            kit.ask("HEAD", "/s/", "").field("Content-Type"),
            Some("text/plain")
        );
    }
}
