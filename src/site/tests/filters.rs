//! What is done to answers on their way out.

use crate::site::testing;

/// The values of `X` in the answer from a place.
fn added(kit: &testing::Kit, target: &str) -> String {
    kit.get(target).fields("X").join(" ")
}

#[test]
fn fields_are_inherited_as_they_say() {
    let kit = testing::site(
        "add_header X http;
         server { listen 80; add_header X server;
           location /plain { return 200; }
           location /own { add_header X own; return 200; }
           location /off { add_header_inherit off; return 200;
             location /off/in { return 200; }
             location /off/on { add_header_inherit on; return 200; }
             location /off/own { add_header X own; return 200; location /off/own/in { return 200; } } }
           location /merge { add_header X merged; add_header_inherit merge; return 200;
             location /merge/in { return 200; }
             location /merge/own { add_header X own; return 200; }
             location /merge/on { add_header_inherit on; add_header X own; return 200; } } }",
    );
    for (target, expected) in [
        ("/plain", "server"),
        ("/own", "own"),
        ("/off", ""),
        ("/off/in", ""),
        ("/off/on", ""),
        ("/off/own", "own"),
        ("/off/own/in", ""),
        ("/merge", "merged server"),
        ("/merge/in", "merged server"),
        ("/merge/own", "own merged server"),
        ("/merge/on", "own"),
    ] {
        assert_eq!(added(&kit, target), expected, "{target}");
    }
    assert_eq!(
        testing::said("add_trailer_inherit both;"),
        ["error: invalid value \"both\""]
    );
}

#[test]
fn trailers_are_inherited_and_end_a_chunked_body() {
    let kit = testing::server(
        "add_trailer A $status; add_trailer B '';
         location /merge { add_trailer_inherit merge; add_trailer C c; return 200 x; }
         location /off { add_trailer_inherit off; return 200 x; }
         location /error { return 404; }
         location /always { add_trailer D d always; return 404; }",
    );
    assert_eq!(
        kit.get("/merge").body,
        "1\r\nx\r\n0\r\nC: c\r\nA: 200\r\n\r\n"
    );
    assert_eq!(kit.get("/off").body, "x");
    assert!(kit.get("/error").field("Transfer-Encoding").is_none());
    assert!(kit.get("/always").body.ends_with("0\r\nD: d\r\n\r\n"));
    let old = kit.send("GET /merge HTTP/1.0\r\n\r\n");
    assert_eq!(
        (old.body.as_str(), old.field("Content-Length")),
        ("x", Some("1"))
    );
}

#[test]
fn browsers_get_what_they_need() {
    let kit = testing::server(
        "location /moved { msie_refresh on; return 302 /x; }
         location /short { msie_padding off; return 404; }",
    );
    let old = "User-Agent: MSIE 8.0; x\r\n";
    let moved = kit.ask("GET", "/moved", old);
    assert_eq!((moved.status, moved.field("Location")), (200, None));
    assert!(moved.body.contains("content=\"0; URL=/x\""));
    assert_eq!(kit.ask("GET", "/moved", "").status, 302);
    let padding = |target, fields| {
        kit.ask("GET", target, fields)
            .body
            .matches("padding")
            .count()
    };
    assert_eq!(padding("/none", old), 6);
    assert_eq!(padding("/none", "User-Agent: Chrome/1\r\n"), 6);
    assert_eq!(padding("/none", ""), 0);
    assert_eq!(padding("/short", old), 0);
}
