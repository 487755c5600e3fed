//! Chromium opens what people see: the sample site, listings and error pages, in light and in dark.
//! Its console stays empty but for what every browser notes when a page is not found.

mod common;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Checkout, Setup, is_forkful, possible, stop, tool_is_installed, wait_until};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

const CHROMIUM: &str = "/usr/bin/chromium";
const DRIVER: &str = "/usr/bin/chromedriver";

/// For root, a closed network and a small `/dev/shm`.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
];

/// A browser may take its time to start, and to load a page, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which scheme the page follows, judged by its text, and what is wrong with it.
const INSPECTION: &str = "
    const [red, green, blue] = getComputedStyle(document.body).color.match(/[0-9]+/g).map(Number);
    const faults = [];
    if (document.compatMode != 'CSS1Compat') faults.push('quirks');
    if (document.documentElement.scrollWidth > innerWidth) faults.push('wider than the window');
    if ([...document.images].some(image => !image.naturalWidth)) faults.push('a broken image');
    const scheme = red + green + blue < 384 ? 'light' : 'dark';
    return [scheme, document.title.split(' · ')[0], ...faults].join(', ');";

/// A browser, spoken to through its WebDriver; its profile is new and vanishes with it.
struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    profile: TempDir,
}

impl Browser {
    fn start() -> Self {
        let profile = TempDir::new().unwrap();
        let output = profile.path().join("driver");
        let driver = Command::new(DRIVER)
            .arg("--port=0")
            .process_group(0)
            .env("HOME", profile.path())
            .env("TMPDIR", profile.path())
            .stdin(Stdio::null())
            .stdout(File::create(&output).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .expect("the driver starts");
        let mut browser = Self {
            driver,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            session: String::new(),
            profile,
        };
        browser
            .address
            .set_port(wait_until("the driver names its port", || {
                let said = fs::read_to_string(&output).unwrap();
                let (_, rest) = said.split_once("started successfully on port ")?;
                rest.split_once('.')?.0.parse().ok()
            }));
        browser.open_session();
        browser
    }

    fn open_session(&mut self) {
        let profile = self.profile.path().join("profile");
        let flags: String = FLAGS.iter().map(|flag| format!("\"{flag}\",")).collect();
        let answer = self.request(
            "POST",
            "/session",
            &format!(
                r#"{{"capabilities":{{"alwaysMatch":{{"goog:loggingPrefs":{{"browser":"ALL"}},
                "goog:chromeOptions":{{"binary":"{CHROMIUM}",
                "args":[{flags}"--user-data-dir={}"]}}}}}}}}"#,
                profile.display()
            ),
        );
        let (_, rest) = answer.split_once(r#""sessionId":""#).expect("a session");
        self.session = rest.split_once('"').unwrap().0.to_owned();
    }

    /// A request to the driver and the body of its answer.
    fn request(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("the driver accepts");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (host, length) = (self.address, body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let (head, body) = answer(&mut BufReader::new(stream)).expect("the driver answers");
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}{body}");
        body
    }

    /// A command of the session.
    fn command(&self, name: &str, body: &str) -> String {
        self.request("POST", &format!("/session/{}/{name}", self.session), body)
    }

    /// A command of Chromium's own protocol.
    fn emulate(&self, what: &str, how: &str) {
        let body = format!(r#"{{"cmd":"Emulation.{what}","params":{how}}}"#);
        self.command("goog/cdp/execute", &body);
    }

    fn prefer(&self, scheme: &str) {
        let feature = format!(r#"{{"name":"prefers-color-scheme","value":"{scheme}"}}"#);
        self.emulate(
            "setEmulatedMedia",
            &format!(r#"{{"features":[{feature}]}}"#),
        );
    }

    fn resize(&self, width: u32) {
        let size =
            format!(r#"{{"width":{width},"height":700,"deviceScaleFactor":1,"mobile":false}}"#);
        self.emulate("setDeviceMetricsOverride", &size);
    }

    fn open(&self, url: &str) {
        self.command("url", &format!(r#"{{"url":"{url}"}}"#));
    }

    /// What [`INSPECTION`] says of the page.
    fn inspect(&self) -> String {
        let script = INSPECTION.replace('\n', " ");
        let answer = self.command(
            "execute/sync",
            &format!(r#"{{"script":"{script}","args":[]}}"#),
        );
        let value = answer.strip_prefix(r#"{"value":""#);
        let value = value.and_then(|rest| rest.strip_suffix(r#""}"#));
        value.unwrap_or(&answer).to_owned()
    }

    /// The messages that came to the console since it was asked last, of every level.
    fn console(&self) -> Vec<String> {
        let log = self.command("se/log", r#"{"type":"browser"}"#);
        let entries = log.split(r#"{"level":""#).skip(1);
        let message = |entry: &str| {
            let (_, rest) = entry.split_once(r#""message":""#).unwrap();
            rest.split_once(r#"","source":"#).unwrap().0.to_owned()
        };
        entries.map(message).collect()
    }
}

/// Head and body of a response; the driver leaves the connection open.
fn answer(stream: &mut impl BufRead) -> io::Result<(String, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head)? > 0 {}
    let lowercase = head.to_ascii_lowercase();
    let mut lines = lowercase.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or_default()];
    stream.read_exact(&mut body)?;
    Ok((head, String::from_utf8_lossy(&body).into_owned()))
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.request("DELETE", &format!("/session/{}", self.session), "");
        }
        stop(&mut self.driver);
        // The browser of a session that was not ended is of the same group.
        let group = Pid::from_raw(self.driver.id().cast_signed());
        let _none_is_left = killpg(group, Signal::SIGKILL);
    }
}

/// Opens pages of a site in both schemes, in a wide and in a narrow window, and judges them; each
/// comes with its status and title.
fn show(address: SocketAddr, pages: &[(&str, u16, &str)]) {
    let browser = Browser::start();
    for (scheme, width) in [
        ("light", 1000),
        ("dark", 1000),
        ("light", 360),
        ("dark", 360),
    ] {
        browser.prefer(scheme);
        browser.resize(width);
        for (path, status, title) in pages {
            let url = format!("http://{address}{path}");
            browser.open(&url);
            assert_eq!(browser.inspect(), format!("{scheme}, {title}"), "{url}");
            let noted = || {
                format!(
                    "{url} - Failed to load resource: the server responded with a status of {status} "
                )
            };
            let messages = browser.console();
            let expected = usize::from(*status != 200);
            assert_eq!(messages.len(), expected, "{url}: {messages:?}");
            assert!(
                messages.iter().all(|it| it.starts_with(&noted())),
                "{url}: {messages:?}"
            );
        }
    }
}

fn is_possible() -> bool {
    let installed = tool_is_installed(CHROMIUM) && tool_is_installed(DRIVER);
    is_forkful() && possible(installed, "chromium is not installed")
}

#[test]
fn the_sample_site_is_shown_without_complaint() {
    if !is_possible() {
        return;
    }
    let site = Checkout::new().start(&[]);
    let pages = [
        ("/", 200, "It works"),
        ("/guide", 200, "Guide"),
        ("/files/", 200, "Index of /files/"),
        ("/nothing-here", 404, "Not found"),
    ];
    show(site.address(), &pages);
}

#[test]
fn listings_and_error_pages_are_shown_without_complaint() {
    if !is_possible() {
        return;
    }
    let server = Setup::http(
        "server {
            listen %LISTEN%; root %PREFIX%/html; log_not_found off;
            location / { autoindex on; }
            location = /closed { deny all; }
            location = /broken { return 500; }
        }",
    )
    .file("html/a & <b> \"c\".txt", "odd")
    .file(&format!("html/{}.txt", "long-".repeat(30)), "long")
    .file("html/directory/f.txt", "content")
    .start();
    let pages = [
        ("/", 200, "Index of /"),
        ("/directory/", 200, "Index of /directory/"),
        ("/missing", 404, "404 Not Found"),
        ("/closed", 403, "403 Forbidden"),
        ("/broken", 500, "500 Internal Server Error"),
    ];
    show(server.address(), &pages);
}
