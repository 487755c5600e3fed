//! Hostile and unusual requests, byte for byte: the table in `raw_bytes/` against the running server,
//! sent whole, cut in two at every byte, and one byte at a time. The answers must not differ.

mod common;
#[path = "raw_bytes/table.rs"]
mod table;

use common::{Client, Ending, Response, Setup, TestServer, is_forkful};
use table::Case;

const PROBE: &str = "GET /probe HTTP/1.1\r\nHost: a\r\n\r\n";

/// Connections under way at once.
const BATCH: usize = 128;

fn site() -> TestServer {
    Setup::http(include_str!("raw_bytes/site.conf"))
        .file("html/index.html", "index")
        .file("html/f.txt", "0123456789")
        .file("html/empty", "")
        .file("html/dir/index.html", "dir index")
        .file("html/dir/f.txt", "in dir")
        .file("html/a b", "space")
        .file("html/\u{e9}", "e acute")
        .file("html/100%", "percent")
        .file("html/q?x", "question")
        .file("html/back\\slash", "backslash")
        .file("html/a;b", "semicolon")
        .file("html/.hidden", "hidden")
        .file("html/evil.com/index.html", "not evil")
        .file("html/noindex/f.txt", "f")
        .file("html-b/index.html", "index of b")
        .file("html-b/f.txt", "f of b")
        .file("secret", "secret")
        .start()
}

/// What one connection brought: the final and interim responses, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    responses: Vec<Response>,
    end: Option<Ending>,
}

/// Reads what a case should bring, and compares it with what the table says.
fn read(client: &mut Client, case: &Case, port: u16) -> Result<Answer, String> {
    let mut responses = Vec::new();
    for expected in &case.expected {
        let mut response = client.try_response(expected.head)?;
        expected.check(&response, port)?;
        normalise(&mut response);
        responses.push(response);
    }
    Ok(Answer {
        responses,
        end: read_end(client, case)?,
    })
}

/// Takes out what differs from answer to answer: the date, and the boundary of several ranges.
fn normalise(response: &mut Response) {
    response.headers.retain(|(name, _)| name != "Date");
    for (_, value) in &mut response.headers {
        if let Some((kind, boundary)) = value.split_once("boundary=") {
            let body = String::from_utf8_lossy(&response.body).replace(boundary, "BOUNDARY");
            response.body = body.into_bytes();
            *value = format!("{kind}boundary=BOUNDARY");
        }
    }
}

/// A connection said to be open answers one more request; a closed one has nothing more to say.
fn read_end(client: &mut Client, case: &Case) -> Result<Option<Ending>, String> {
    if !case.closed {
        client
            .try_send(PROBE)
            .map_err(|error| format!("sending the probe: {error}"))?;
        let probe = client
            .try_response(false)
            .map_err(|error| format!("the probe: {error}"))?;
        return if probe.body == b"probe" {
            Ok(None)
        } else {
            Err(format!("probe: {probe:?}"))
        };
    }
    match client.ending() {
        (ending, rest) if rest.is_empty() => Ok(Some(ending)),
        (_, rest) => Err(format!("more than expected: \"{}\"", rest.escape_ascii())),
    }
}

/// Once a new connection is answered, the only worker has read all that was sent before.
fn fence(server: &TestServer) {
    assert_eq!(server.get("/probe").body, b"probe");
}

/// Sends a case in two parts, on a connection that may already be closed at the second one.
fn send_part(client: &mut Client, case: &Case, part: std::ops::Range<usize>) {
    let last = part.end == case.request.len();
    if client.try_send(&case.request[part]).is_ok() && last && case.fin {
        client.finish_sending();
    }
}

fn whole(server: &TestServer, case: &Case) -> Result<Answer, String> {
    let mut client = server.connect();
    send_part(&mut client, case, 0..case.request.len());
    let answer = read(&mut client, case, server.address().port())?;
    match answer.end {
        Some(Ending::Reset) => Err("a reset instead of an orderly close".into()),
        _ => Ok(answer),
    }
}

/// The cases that hold here, with their answers: what other ways of sending must bring as well.
fn answered<'a>(server: &TestServer, cases: &'a [Case]) -> Vec<(&'a Case, Answer)> {
    let alike = |case: &&Case| case.nginx.is_none() && case.nginx_split.is_none();
    let ours = cases.iter().filter(|case| is_forkful() || alike(case));
    ours.filter_map(|case| Some((case, whole(server, case).ok()?)))
        .collect()
}

/// An end by reset is no difference: bytes sent to a connection that was just closed cause it.
fn same(whole: &Answer, parts: Result<Answer, String>) -> Result<(), String> {
    let parts = parts?;
    if parts.responses == whole.responses {
        return Ok(());
    }
    Err(format!(
        "whole: {:?}\n    parts: {:?}",
        whole.responses, parts.responses
    ))
}

fn report(failures: &[String]) {
    let shown = failures[..failures.len().min(50)].join("\n");
    assert!(failures.is_empty(), "{} failures:\n{shown}", failures.len());
}

#[test]
fn every_request_sent_whole() {
    let server = site();
    let mut failures = Vec::new();
    for case in table::cases() {
        let known = !is_forkful() && case.nginx.is_some();
        match whole(&server, &case) {
            Err(error) if !known => failures.push(format!("{case}: {error}")),
            Ok(_) if known => failures.push(format!("{case}: holds for nginx too")),
            _ => {}
        }
    }
    report(&failures);
}

#[test]
fn every_request_split_at_every_byte() {
    let server = site();
    let cases = table::cases();
    let mut splits = Vec::new();
    for (case, answer) in &answered(&server, &cases) {
        let step = step(case.request.len());
        splits.extend(
            (1..case.request.len())
                .step_by(step)
                .map(|at| (*case, answer.clone(), at)),
        );
    }
    let mut failures = Vec::new();
    for batch in splits.chunks(BATCH) {
        let mut clients: Vec<Client> = batch.iter().map(|_| server.connect()).collect();
        for (client, (case, _, at)) in clients.iter_mut().zip(batch) {
            send_part(client, case, 0..*at);
        }
        fence(&server);
        for (client, (case, _, at)) in clients.iter_mut().zip(batch) {
            send_part(client, case, *at..case.request.len());
        }
        for (client, (case, answer, at)) in clients.iter_mut().zip(batch) {
            let parts = read(client, case, server.address().port());
            if let Err(error) = same(answer, parts) {
                failures.push(format!("{case} split at {at}: {error}"));
            }
        }
    }
    report(&failures);
}

/// Every byte of a request of ordinary length; `FORKFUL_TEST_SCALE` below 1 takes a fraction.
fn step(length: usize) -> usize {
    let scale = std::env::var("FORKFUL_TEST_SCALE")
        .ok()
        .and_then(|it| it.parse::<f64>().ok());
    let whole = length.div_ceil(1000);
    (whole as f64 / scale.unwrap_or(1.0).clamp(0.01, 1.0)) as usize
}

#[test]
fn every_request_byte_by_byte() {
    let server = site();
    let cases = table::cases();
    let mut cases = answered(&server, &cases);
    cases.retain(|(case, _)| case.request.len() <= 300);
    let mut failures = Vec::new();
    for batch in cases.chunks(BATCH) {
        let mut clients: Vec<Client> = batch.iter().map(|_| server.connect()).collect();
        let longest = batch
            .iter()
            .map(|(case, _)| case.request.len())
            .max()
            .unwrap_or(0);
        for at in 0..longest {
            for (client, (case, _)) in clients.iter_mut().zip(batch) {
                if at < case.request.len() {
                    send_part(client, case, at..at + 1);
                }
            }
            fence(&server);
        }
        for (client, (case, answer)) in clients.iter_mut().zip(batch) {
            if let Err(error) = same(answer, read(client, case, server.address().port())) {
                failures.push(format!("{case} byte by byte: {error}"));
            }
        }
    }
    report(&failures);
}

#[test]
fn the_table_is_large_and_every_case_names_its_source() {
    let cases = table::cases();
    assert!(cases.len() >= 170, "only {} cases", cases.len());
    for case in &cases {
        let sourced = ["RFC ", "nginx", "CVE-"]
            .iter()
            .any(|word| case.source.contains(word));
        assert!(sourced, "{case}: source {:?}", case.source);
        let expects = !case.expected.is_empty() || case.closed;
        assert!(expects, "{case}: expects nothing");
    }
}
