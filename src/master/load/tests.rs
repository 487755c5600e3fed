//! What the top level of a configuration comes to.

use super::*;
use crate::master::loaded::Loaded;

fn request(prefix: &Path, text: &str) -> Request {
    Request {
        start: Start::embedded("test", text),
        prefix: prefix.into(),
        error_log: None,
        keep_user: false,
        subject: None,
    }
}

/// The plan for a configuration in a directory, and what is said about it.
fn plan(prefix: &Path, text: &str) -> (Plan, Vec<String>) {
    let plan = read(&request(prefix, text));
    let entries = plan.draft.diagnostics.entries().iter();
    let said = entries.map(|entry| entry.headline(&plan.sources)).collect();
    (plan, said)
}

#[test]
fn defaults_leave_no_litter() {
    let prefix = tempfile::tempdir().expect("directory");
    let (plan, said) = plan(prefix.path(), "events {}");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].ends_with("logs/error.log\" has no directory, errors go to stderr"),
        "{said:?}"
    );
    assert_eq!(
        (&plan.pid, plan.draft.needs.logs.things().len()),
        (&None, 0)
    );
    assert_eq!(plan.pid_or_default(), prefix.path().join(PID));
    assert!(plan.settings.daemon && plan.settings.master_process);
}

#[test]
fn defaults_of_nginx_are_used_where_their_directory_exists() {
    let prefix = tempfile::tempdir().expect("directory");
    std::fs::create_dir(prefix.path().join("logs")).expect("made");
    let (plan, said) = plan(prefix.path(), "events {}");
    assert_eq!(said, [""; 0]);
    assert_eq!(plan.pid, Some(prefix.path().join(PID)));
    assert_eq!(
        plan.draft.needs.logs.things(),
        [prefix.path().join(ERROR_LOG)]
    );
    let loaded = Loaded::open(plan, &[]).expect("opened");
    assert!(prefix.path().join(ERROR_LOG).exists());
    assert_eq!(loaded.log_table()[..], [prefix.path().join(ERROR_LOG)]);
}

#[test]
fn what_is_named_wins() {
    let prefix = tempfile::tempdir().expect("directory");
    let text = "error_log a warn; error_log stderr; pid x.pid; daemon off; events {}";
    let named = Request {
        error_log: Some("b".into()),
        ..request(prefix.path(), text)
    };
    let plan = read(&named);
    assert_eq!(plan.draft.needs.logs.things(), [prefix.path().join("a")]);
    let planned = |level, target| Planned { level, target };
    let expected = [
        planned(Level::Warn, Target::File(0)),
        planned(Level::Error, Target::Stderr),
    ];
    assert_eq!(plan.settings.error_log, expected);
    assert_eq!(plan.pid, Some(prefix.path().join("x.pid")));
    assert!(!plan.settings.daemon);
}

#[test]
fn the_command_line_names_the_log_of_a_configuration_without_one() {
    let prefix = tempfile::tempdir().expect("directory");
    for (name, logs) in [("stderr", vec![]), ("b", vec![prefix.path().join("b")])] {
        let request = Request {
            error_log: Some(name.into()),
            ..request(prefix.path(), "events {}")
        };
        assert_eq!(read(&request).draft.needs.logs.things(), logs);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let prefix = tempfile::tempdir().expect("directory");
    let (_, said) = plan(
        prefix.path(),
        "error_log stderr;\nworker_processes none;\ndaemn off;\nroot /;",
    );
    assert_eq!(
        said,
        [
            "invalid number of workers \"none\" in test:2:18",
            "unknown directive \"daemn\" in test:3:1",
            "\"root\" directive is not allowed here in test:4:1",
        ]
    );
    let (_, said) = plan(prefix.path(), "error_log stderr;");
    assert_eq!(said, ["no \"events\" section in configuration"]);
}

#[test]
fn a_fragment_is_read_as_if_it_stood_in_http() {
    let prefix = tempfile::tempdir().expect("directory");
    let (plan, said) = plan(
        prefix.path(),
        "error_log stderr; gzip_types a/b;\nserver { listen 81; sendfile off; }\nsendfile off;",
    );
    let notice =
        "this file has no \"http\" block: it is read as if one stood around it in test:2:1";
    assert!(said.contains(&notice.to_owned()), "{said:?}");
    assert!(!plan.draft.diagnostics.errors(), "{said:?}");
    let server = &plan.draft.servers[0].location.values;
    assert_eq!(&*server.mime.of(b"/a.html"), b"text/html");
    assert_eq!(&*server.mime.of(b"/a"), b"application/octet-stream");
}

#[test]
fn modules_are_built_in_or_missed() {
    let prefix = tempfile::tempdir().expect("directory");
    let (_, said) = plan(
        prefix.path(),
        "load_module modules/ngx_http_autoindex_module.so;\n\
         load_module /usr/lib/ngx_http_geoip2_module.so; error_log stderr; events {}",
    );
    let notice = "module \"ngx_http_geoip2_module\" is not supported in test:2:13";
    assert_eq!(said, [notice]);
}

#[test]
fn the_user_can_be_kept() {
    let keep = |text| {
        let request = Request {
            keep_user: true,
            ..request(Path::new("/"), text)
        };
        read(&request).settings.user
    };
    assert_eq!(keep("events {}"), User::Keep);
    if privilege::is_root() {
        assert!(matches!(keep("user root; events {}"), User::Named(_)));
    }
}

/// All that a plan holds, in an order that does not depend on hashes.
fn content(plan: &Plan) -> Vec<String> {
    let text = format!(
        "{:?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}",
        (&plan.pid, &plan.workers, plan.messages()),
        plan.settings,
        plan.worker,
        plan.draft.needs,
        plan.draft.error_logs,
        plan.draft.servers,
        plan.draft.endpoints,
    );
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines.push(String::from_utf8_lossy(&plan.dump()).into_owned());
    lines
}

fn of_file(path: &Path, prefix: &Path) -> Request {
    Request {
        start: Start::file(path),
        ..request(prefix, "")
    }
}

/// The plan for a file, and the one that its transcript gives after `meanwhile`.
fn recorded_and_replayed(request: &Request, meanwhile: impl FnOnce()) -> [Vec<String>; 2] {
    let system = Rc::new(Outside::system());
    let recorded = content(&read_from(request, Rc::clone(&system)));
    meanwhile();
    let replay = Rc::new(Outside::replay(&system.transcript()).expect("a transcript"));
    let replayed = content(&read_from(request, Rc::clone(&replay)));
    assert_eq!(replay.missing(), [""; 0]);
    [recorded, replayed]
}

/// Debian's layout: files by masks, one of them through a link, hosts by name.
fn debian(prefix: &Path) -> PathBuf {
    let main = "user www-data; worker_processes auto; pid /run/nginx.pid;
        error_log /var/log/nginx/error.log; include modules-enabled/*.conf;
        events { worker_connections 768; }
        http { include mime.types; access_log /var/log/nginx/access.log;
            include conf.d/*.conf; include sites-enabled/*; }";
    let site = "server { listen 80 default_server; listen [::]:80 default_server;
        listen localhost:8080; root /var/www/html; index index.html; server_name _ $hostname;
        location / { try_files $uri $uri/ =404; } }";
    for (name, text) in [
        ("nginx.conf", main),
        ("mime.types", include_str!("../../../conf/mime.types")),
        ("sites-available/default", site),
        (
            "conf.d/b.conf",
            "server { listen 81; include snippets.inc; }",
        ),
        ("conf.d/a.conf", "log_format short '$uri';"),
        ("snippets.inc", "location ~ \\.php$ { return 404; }"),
    ] {
        let path = prefix.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    let enabled = prefix.join("sites-enabled");
    std::fs::create_dir(&enabled).expect("made");
    std::os::unix::fs::symlink("../sites-available/default", enabled.join("default"))
        .expect("linked");
    prefix.join("nginx.conf")
}

#[test]
fn what_was_checked_is_what_is_loaded() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("directory");
    let files = ["conf", "examples"].map(|name| std::fs::read_dir(here.join(name)).expect("read"));
    let files = files
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("read").path());
    let mut configurations: Vec<_> = files.filter(|path| path.is_file()).collect();
    configurations.push(debian(folder.path()));
    assert!(configurations.len() >= 6);
    for file in configurations {
        let request = of_file(&file, file.parent().expect("a folder"));
        let [recorded, replayed] = recorded_and_replayed(&request, || ());
        assert_eq!(recorded, replayed, "{}", file.display());
    }
}

#[test]
fn what_happens_to_the_files_after_the_check_does_not_matter() {
    let folder = tempfile::tempdir().expect("directory");
    let prefix = folder.path();
    let request = of_file(&debian(prefix), prefix);
    let [recorded, replayed] = recorded_and_replayed(&request, || {
        std::fs::write(prefix.join("nginx.conf"), "broken {").expect("written");
        std::fs::write(prefix.join("conf.d/new.conf"), "broken {").expect("written");
        std::fs::remove_file(prefix.join("mime.types")).expect("removed");
        std::fs::remove_dir_all(prefix.join("sites-enabled")).expect("removed");
        std::fs::create_dir(prefix.join("logs")).expect("made");
    });
    assert_eq!(recorded, replayed);
    assert!(recorded.iter().any(|line| line.contains("try_files $uri")));
    let again = content(&read(&request));
    assert_ne!(again, recorded, "the system says something else by now");
}

#[test]
fn what_a_transcript_lacks_refuses_the_configuration() {
    let request = of_file(Path::new("/x/forkful.conf"), Path::new("/x"));
    let plan = read_from(&request, Outside::replay(b"").expect("a transcript").into());
    assert!(plan.draft.diagnostics.errors());
    let said = plan.messages();
    let asked = "open \"/x/forkful.conf\" was not asked when it was checked";
    assert!(said.iter().any(|(_, text)| text == asked), "{said:?}");
}
