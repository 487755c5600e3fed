//! How a server says that it is, asked at its door.

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};

use super::json::Json;
use super::process::run;
use super::server::TestServer;
use super::wait::LIMIT;

/// The status that a master gives; `None` if it has no door, as nginx.
pub fn status(pid: u32) -> Option<Json> {
    let door = SocketAddr::from_abstract_name(format!("forkful/{pid}")).unwrap();
    let mut stream = UnixStream::connect_addr(&door).ok()?;
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(b"status json\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, status) = answer.split_once('{').unwrap_or((&answer, ""));
    assert!(head.contains("done "), "{answer}");
    Some(Json::read(&format!("{{{status}")))
}

/// The status that `forkful status --json` prints.
pub fn printed_status(server: &TestServer) -> Json {
    let output = run(&mut server.operator(&["status", "--json"]));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    Json::read(str::from_utf8(&output.stdout).expect("UTF-8"))
}
