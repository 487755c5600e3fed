//! Redirects within the server that never come to an end: 500, and the server goes on.

mod common;

use common::{Setup, TestServer};

/// Asks for `/a` of a site with these locations; it must end in a 500 that the log explains.
fn is_cut(locations: &str) {
    let server: TestServer = Setup::http(&format!(
        "server {{ listen %LISTEN%; root %PREFIX%/html; {locations} }}"
    ))
    .file("html/f.txt", "content")
    .start();
    assert_eq!(server.get("/a").status, 500, "{locations}");
    assert_eq!(server.get("/f.txt").text(), "content", "{locations}");
    server.wait_for_log("rewrite or internal redirection cycle");
}

#[test]
fn of_try_files() {
    is_cut("location / { try_files $uri /none; }");
    is_cut("location = /a { try_files /none /b; } location = /b { try_files /none /a; }");
}

#[test]
fn of_named_locations() {
    is_cut(
        "location = /a { try_files /none @b; } location @b { try_files /none @c; }
         location @c { try_files /none @b; }",
    );
}

#[test]
fn of_index_files() {
    is_cut("location = /a { try_files /none /d/; } location /d/ { index /d/; }");
}

#[test]
fn of_error_pages_that_may_recur() {
    is_cut("recursive_error_pages on; error_page 404 /none;");
}

#[test]
fn of_error_pages_there_are_none() {
    let server = Setup::http(
        "server { listen %LISTEN%; root %PREFIX%/html; error_page 404 /none; location = /b {
         error_page 403 =404 /b; deny all; } }",
    )
    .start();
    assert_eq!(server.get("/a").status, 404);
    assert_eq!(server.get("/b").status, 403);
}
