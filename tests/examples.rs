//! What people start from: every configuration of the repository passes its test and does what its
//! comments promise; the program starts without one, too, and says where to look.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use common::{Checkout, Foreground, Response, binary, is_forkful, listener, run, wait_until};
use tempfile::TempDir;

const EXAMPLES: [&str; 4] = [
    "documentation",
    "downloads",
    "single-page-app",
    "virtual-hosts",
];

/// Serves an example in a copy of the clone.
fn example(name: &str, prepare: impl FnOnce(Checkout) -> Checkout) -> Foreground {
    let file = format!("examples/{name}.conf");
    prepare(Checkout::new()).start(&["-p", ".", "-c", &file])
}

/// A request with header fields of its own, and its response.
fn ask(program: &Foreground, target: &str, fields: &str) -> Response {
    let mut client = program.connect();
    client.send(format!("GET {target} HTTP/1.1\r\n{fields}\r\n\r\n"));
    client.response()
}

/// A file of the sample site.
fn sample(path: &str) -> String {
    let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/site");
    fs::read_to_string(site.join(path)).unwrap()
}

fn of_site(host: &str) -> String {
    format!("Host: {host}")
}

#[test]
fn every_configuration_passes_its_test() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<_> = fs::read_dir(repository.join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "conf"))
        .collect();
    found.sort();
    let known = EXAMPLES.map(|name| repository.join(format!("examples/{name}.conf")));
    assert_eq!(found, known, "an example that is not tested below");
    for file in found
        .into_iter()
        .chain([repository.join("conf/forkful.conf")])
    {
        let output = run(Command::new(binary())
            .current_dir(repository)
            .arg("-tc")
            .arg(&file));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let notices = is_forkful() && said.lines().count() != 2;
        assert!(
            !notices,
            "there is more to say of {}:\n{said}",
            file.display()
        );
    }
}

#[test]
fn a_single_page_app() {
    let app = example("single-page-app", |clone| {
        clone
            .file("examples/site/assets/app.1f3a.js", "run()")
            .file("examples/site/.git/config", "secret")
            .file("examples/site/.well-known/security.txt", "Contact: a")
    });
    let page = sample("index.html");
    for route in ["/", "/settings", "/users/7?tab=2"] {
        let response = app.get(route);
        assert_eq!(
            (response.status, response.text()),
            (200, page.clone()),
            "{route}"
        );
        assert_eq!(
            response.header("Cache-Control"),
            Some("no-cache"),
            "{route}"
        );
        let tag = response.header("ETag").unwrap();
        let again = ask(&app, route, &format!("Host: a\r\nIf-None-Match: {tag}"));
        assert_eq!(again.status, 304, "{route}");
    }
    assert_eq!(app.get("/style.css").text(), sample("style.css"));
    let script = app.get("/assets/app.1f3a.js");
    assert_eq!(script.text(), "run()");
    assert_eq!(
        script.all("Cache-Control"),
        ["max-age=31536000", "public, immutable"]
    );
    assert_eq!(app.get("/assets/app.0000.js").status, 404);
    assert_eq!(app.get("/.git/config").status, 404);
    assert_eq!(app.get("/.well-known/security.txt").text(), "Contact: a");
    if is_forkful() {
        assert_eq!(script.header("Server"), Some("forkful"));
    }
}

#[test]
fn several_virtual_hosts() {
    let hosts = example("virtual-hosts", |clone| {
        clone.file("users/alice/index.html", "this is Alice's")
    });
    let site = ask(&hosts, "/", &of_site("www.localhost"));
    assert_eq!(site.text(), sample("index.html"));
    let missing = ask(&hosts, "/x", &of_site("www.localhost:8080"));
    assert_eq!((missing.status, missing.text()), (404, sample("404.html")));
    let files = ask(&hosts, "/", &of_site("files.localhost"));
    assert!(
        files.text().contains("<a href=\"planets.csv\">"),
        "{files:?}"
    );
    let moved = ask(&hosts, "/a?b=c", &of_site("example.localhost"));
    let place = moved.header("Location");
    assert_eq!(
        (moved.status, place),
        (301, Some("http://www.localhost:8080/a?b=c"))
    );
    let alice = ask(&hosts, "/", &of_site("alice.users.localhost"));
    assert_eq!(alice.text(), "this is Alice's");
    for stranger in [
        "anything.localhost",
        "127.0.0.1",
        "a.b.users.localhost",
        "..users.localhost",
    ] {
        let refused = ask(&hosts, "/", &of_site(stranger)).status;
        assert!([400, 404].contains(&refused), "{stranger}: {refused}");
    }
}

#[test]
fn downloads() {
    let site = example("downloads", |clone| {
        clone
            .file("examples/site/release/a.zip", vec![b'z'; 1_572_864])
            .file("examples/site/release/b.zip.part", "half")
            .file("examples/site/internal/plan.txt", "for us")
    });
    let listing = site.get("/release/").text();
    assert!(
        listing.contains("<a href=\"a.zip\">") && listing.contains("      2M"),
        "{listing}"
    );
    let archive = site.get("/release/a.zip");
    assert_eq!((archive.status, archive.body.len()), (200, 1_572_864));
    assert_eq!(archive.header("Cache-Control"), Some("max-age=2592000"));
    let rest = ask(&site, "/release/a.zip", "Host: a\r\nRange: bytes=1572860-");
    assert_eq!((rest.status, rest.text()), (206, "zzzz".into()));
    assert_eq!(
        rest.header("Content-Range"),
        Some("bytes 1572860-1572863/1572864")
    );
    for (count, status) in [(8, 206), (9, 200)] {
        let ranges: Vec<_> = (0..count).map(|n| format!("{n}-{n}")).collect();
        let fields = format!("Host: a\r\nRange: bytes={}", ranges.join(","));
        assert_eq!(ask(&site, "/release/a.zip", &fields).status, status);
    }
    for page in [
        "/release/",
        "/release/a.zip",
        "/missing",
        "/files/raw/hello.txt",
    ] {
        let response = site.get(page);
        assert_eq!(
            response.header("X-Content-Type-Options"),
            Some("nosniff"),
            "{page}"
        );
    }
    let raw = site.get("/files/raw/hello.txt");
    assert_eq!(raw.header("Content-Type"), Some("application/octet-stream"));
    assert_eq!(raw.header("Content-Disposition"), Some("attachment"));
    assert_eq!(site.get("/files/raw/").header("Content-Disposition"), None);
    assert_eq!(site.get("/release/b.zip.part").status, 404);
    assert_eq!(site.get("/internal/plan.txt").text(), "for us");
}

#[test]
fn documentation_with_clean_urls() {
    let site = example("documentation", |clone| {
        clone.file("examples/site/api/index.html", "<p>API")
    });
    for page in ["/guide", "/guide.html"] {
        let response = site.get(page);
        assert_eq!(response.text(), sample("guide.html"), "{page}");
        assert_eq!(
            response.header("Cache-Control"),
            Some("max-age=300"),
            "{page}"
        );
    }
    for (from, to) in [("/manual", "/guide"), ("/api", "/api/")] {
        let moved = site.get(from);
        assert_eq!((moved.status, moved.header("Location")), (301, Some(to)));
    }
    assert_eq!(site.get("/api/").text(), "<p>API");
    assert_eq!(site.get("/v2/notes.md").text(), sample("files/notes.md"));
    assert!(site.get("/v2/").text().contains("<a href=\"notes.md\">"));
    let image = site.get("/favicon.svg");
    assert_eq!(image.header("Cache-Control"), Some("max-age=604800"));
    for page in ["/missing", "/404.html"] {
        let missing = site.get(page);
        assert_eq!(
            (missing.status, missing.text()),
            (404, sample("404.html")),
            "{page}"
        );
    }
}

/// What a start in the foreground says: what is served, and the address to open.
fn announced(program: &Foreground, what: &Path) {
    let what = what.display();
    let line = format!("forkful: serving {what} on http://{}/", program.address());
    wait_until("the address is announced", || {
        program.said().lines().any(|it| it == line).then_some(())
    });
}

#[test]
fn a_clone_serves_the_sample_site() {
    if !is_forkful() {
        return;
    }
    // As root, too, whose clone nobody else can read: the workers stay who they are.
    let clone = Checkout::new().with_mode(0o700).start(&[]);
    announced(&clone, &clone.path().join("conf/forkful.conf"));
    assert_eq!(clone.get("/").text(), sample("index.html"));
    assert_eq!(clone.get("/guide").text(), sample("guide.html"));
    assert_eq!(
        clone.get("/style.css").header("Content-Type"),
        Some("text/css")
    );
    assert!(
        clone
            .get("/files/")
            .text()
            .contains("<a href=\"planets.csv\">")
    );
    assert_eq!(clone.get("/missing").text(), sample("404.html"));
    for worker in clone.workers() {
        let process = format!("/proc/{worker}");
        assert_eq!(
            fs::metadata(&process).unwrap().uid(),
            nix::unistd::geteuid().as_raw()
        );
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        assert!(status.contains("\nCapEff:\t0000000000000000\n"), "{status}");
    }
}

#[test]
fn a_directory_is_served_without_a_configuration() {
    if !is_forkful() {
        return;
    }
    let directory = TempDir::with_prefix("a $b \"c\"").unwrap();
    fs::write(directory.path().join("app.mjs"), "run()").unwrap();
    fs::create_dir(directory.path().join("page")).unwrap();
    fs::write(directory.path().join("page/index.html"), "<p>page").unwrap();
    let served = directory.path().canonicalize().unwrap();
    let listener = listener();
    let address = listener.local_addr().unwrap().to_string();
    let arguments = ["serve", served.to_str().unwrap(), "--listen", &address];
    let program = Foreground::start(TempDir::new().unwrap(), listener, &arguments);
    announced(&program, &served);
    assert!(program.get("/").text().contains("<a href=\"app.mjs\">"));
    assert_eq!(program.get("/page/").text(), "<p>page");
    let script = program.get("/app.mjs");
    assert_eq!(
        script.header("Content-Type"),
        Some("application/javascript")
    );
}

#[test]
fn the_bare_program_serves_where_it_is() {
    if !is_forkful() {
        return;
    }
    // Its address is fixed; whoever else listens there for a moment is waited for.
    let listener = wait_until("port 8080 is free", || {
        TcpListener::bind("127.0.0.1:8080").ok()
    });
    listener.set_nonblocking(true).unwrap();
    let program = Foreground::start(TempDir::new().unwrap(), listener, &[]);
    announced(&program, &program.path().canonicalize().unwrap());
    assert!(program.get("/").text().contains("Index of /"));
    fs::write(program.path().join("f.txt"), "content").unwrap();
    assert_eq!(program.get("/f.txt").text(), "content");
    assert_eq!(program.get("/missing").status, 404);
}

/// Extensions and their media types in `conf/mime.types`.
fn media_types() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/mime.types");
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().starts_with('#'))
        .collect();
    let text = lines.join("\n");
    let (_, block) = text.split_once('{').unwrap();
    let (block, _) = block.split_once('}').unwrap();
    let mut types = BTreeMap::new();
    for entry in block
        .split(';')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        let mut words = entry.split_whitespace();
        let media = words.next().unwrap();
        let (major, minor) = media.split_once('/').expect(media);
        let token = |text: &str| {
            text.bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"+-.".contains(&it))
        };
        assert!(token(major) && token(minor), "{entry}");
        for extension in words {
            let earlier = types.insert(extension.to_owned(), media.to_owned());
            assert_eq!(earlier, None, "{extension} stands there twice");
        }
    }
    types
}

#[test]
fn media_types_are_complete_and_sent() {
    let types = media_types();
    for (extension, media) in [
        ("html", "text/html"),
        ("css", "text/css"),
        ("js", "application/javascript"),
        ("mjs", "application/javascript"),
        ("json", "application/json"),
        ("map", "application/json"),
        ("xml", "text/xml"),
        ("txt", "text/plain"),
        ("md", "text/markdown"),
        ("svg", "image/svg+xml"),
        ("png", "image/png"),
        ("avif", "image/avif"),
        ("webp", "image/webp"),
        ("jxl", "image/jxl"),
        ("ico", "image/x-icon"),
        ("woff2", "font/woff2"),
        ("wasm", "application/wasm"),
        ("webmanifest", "application/manifest+json"),
        ("pdf", "application/pdf"),
        ("zip", "application/zip"),
        ("zst", "application/zstd"),
        ("mp4", "video/mp4"),
        ("webm", "video/webm"),
        ("m3u8", "application/vnd.apple.mpegurl"),
        ("opus", "audio/ogg"),
        ("flac", "audio/flac"),
        ("glb", "model/gltf-binary"),
    ] {
        assert_eq!(
            types.get(extension).map(String::as_str),
            Some(media),
            "{extension}"
        );
    }
    let mut clone = Checkout::new();
    for extension in types.keys() {
        clone = clone.file(&format!("examples/site/f.{extension}"), "x");
    }
    let program = clone.start(&["-p", ".", "-c", "examples/single-page-app.conf"]);
    let mut client = program.connect();
    for (extension, media) in &types {
        let response = client.get(&format!("/f.{extension}"));
        assert_eq!(
            response.header("Content-Type"),
            Some(&media[..]),
            "{extension}"
        );
    }
}
