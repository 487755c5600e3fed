//! `worker_generations`: how many generations of workers there may be beside the one that serves.

mod common;

use common::{Client, Setup, is_forkful, wait_until};
use nix::sys::signal::Signal;

#[test]
fn past_the_limit_the_oldest_is_cut() {
    if !is_forkful() {
        return; // nginx keeps them all
    }
    let main = "worker_processes 1; worker_generations 2; reload_probation 0;";
    let config =
        "server { listen %LISTEN%; root %PREFIX%/html; location = /pid { return 200 \"$pid\"; } }";
    let server = Setup::with_main(main, config)
        .file("html/big", vec![b'x'; 20 << 20])
        .start();
    let mut downloads: Vec<Client> = Vec::new();
    for number in 2..5 {
        let newest = server.workers().into_iter().max().expect("one").to_string();
        let mut client = wait_until("the newest worker serves", || {
            let mut client = server.connect();
            (client.get("/pid").text() == newest).then_some(client)
        });
        client.send_get("/big");
        client.fill().unwrap();
        downloads.push(client);
        server.signal(Signal::SIGHUP);
        server.wait_for_log(&format!("generation {number} serves"));
    }
    server.wait_for_log("the 1 workers of generation 1 are cut");
    server.wait_for_log("it was told to stop, 1 connections are cut");
    let mut downloads = downloads.into_iter();
    let mut cut = downloads.next().expect("three");
    assert!(cut.try_response(false).is_err());
    for mut client in downloads {
        assert_eq!(client.response().body.len(), 20 << 20);
    }
    wait_until("only the last generation is left", || {
        (server.workers().len() == 1).then_some(())
    });
}
