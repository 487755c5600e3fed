//! The tables of directives: every row is whole, says what nginx 1.31 says, and is kept to.
//!
//! `data/directives.tsv` holds name, contexts, number of arguments and default of nginx's own
//! directives that are built, each with a sample of how it is written; `data/all_directives.txt`
//! holds the names of all.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;

use forkful::conf::diagnostic::{Diagnostics, Entry};
use forkful::conf::outside::Outside;
use forkful::conf::parse::{self, Start};
use forkful::conf::table::{Contexts, Directive, HTTP, LOCATION, SERVER, Shape};
use forkful::master::load;
use forkful::site::draft::{Draft, World};
use forkful::site::scope::{self, Scope};
use forkful::site::{Values, unbuilt};

/// Directives that nginx does not have, each with a sample.
const OWN: [(&str, &str); 10] = [
    ("compressed_cache", "size=1m"),
    ("file_cache", "max=100 valid=2s"),
    ("log_queue", "16k"),
    ("regex_match_limit", "1000"),
    ("reload_memory", "100m"),
    ("reload_probation", "2s"),
    ("reload_timeout", "5s"),
    ("worker_generations", "4"),
    ("worker_sandbox", "strict"),
    ("worker_stall_timeout", "0"),
];

/// Defaults that are not nginx's text: ours differ on purpose, or nginx's text is no value.
const OTHER_DEFAULTS: &[(&str, &str)] = &[
    // The address of the server is no number that could be written.
    ("userid_service", ""),
    // Without it, `file_cache` says what is kept.
    ("open_file_cache", ""),
    // What nginx documents is one more than what it does.
    ("ssi_value_length", "255"),
    // Clients that use a connection at the moment of a reload must not fail.
    ("keepalive_min_timeout", "1s"),
    // Of nginx's defaults that depend on the machine, those of a common one.
    ("client_body_buffer_size", "16k"),
    ("map_hash_bucket_size", "64"),
    ("server_names_hash_bucket_size", "64"),
    // Without it, what is not in memory is read in a pool of threads.
    ("aio", ""),
    // The best method is chosen, and here there is one.
    ("use", "epoll"),
    ("log_format", "combined"),
    // Within `http` the default is the process's log.
    ("error_log", ""),
];

/// Directives whose default is no text that could be written: it depends on the prefix, on the
/// user, or on what other directives say.
const NO_PLAIN_DEFAULT: &[&str] = &[
    "access_log",
    "client_body_temp_path",
    "env",
    "error_log",
    "listen",
    "log_format",
    "lock_file",
    "max_ranges",
    "pid",
    "root",
    "server_name",
    "types",
    "use",
    "user",
];

/// What a configuration of today's scope may use.
const EXPECTED: &str = "
    aio daemon env error_log events http include master_process pid thread_pool user
    worker_connections worker_cpu_affinity worker_priority worker_processes worker_rlimit_core
    worker_rlimit_nofile worker_sandbox worker_shutdown_timeout
    working_directory
    absolute_redirect access_log add_header alias allow auth_basic
    auth_basic_user_file auth_delay autoindex autoindex_exact_size
    autoindex_localtime client_body_buffer_size client_body_temp_path client_body_timeout
    client_header_buffer_size client_header_timeout client_max_body_size default_type deny
    error_page etag expires if_modified_since ignore_invalid_headers index internal
    keepalive_disable keepalive_min_timeout keepalive_requests keepalive_time keepalive_timeout
    large_client_header_buffers limit_except lingering_close lingering_time lingering_timeout
    listen location log_format log_not_found max_headers max_ranges merge_slashes open_file_cache
    output_buffers
    port_in_redirect reset_timedout_connection return root satisfy send_timeout sendfile
    sendfile_max_chunk server server_name server_name_in_redirect server_names_hash_bucket_size
    server_names_hash_max_size server_tokens tcp_nodelay tcp_nopush try_files types
    types_hash_bucket_size types_hash_max_size underscores_in_headers
    variables_hash_bucket_size variables_hash_max_size";

/// Where a directive can be tried, and what stands around it there.
const PLACES: [(&str, &str, &str); 8] = [
    ("main", "", " events {}"),
    ("events", "events { ", " }"),
    ("http", "events {} http { ", " }"),
    ("server", "events {} http { server { ", " } }"),
    (
        "location",
        "events {} http { server { location /x/ { ",
        " } } }",
    ),
    (
        "limit_except",
        "events {} http { server { location /x/ { limit_except GET { ",
        " } } } }",
    ),
    (
        "if in server",
        "events {} http { server { if ($uri) { ",
        " } } }",
    ),
    (
        "if in location",
        "events {} http { server { location /x/ { if ($uri) { ",
        " } } } }",
    ),
];

/// A row of a table, whatever it sets.
struct Row {
    name: &'static str,
    contexts: BTreeSet<&'static str>,
    arity: String,
    block: bool,
    default: &'static str,
    doc: &'static str,
}

fn rows() -> Vec<Row> {
    fn row<T, S>(row: &Directive<T, S>) -> Row {
        Row {
            name: row.name,
            contexts: row.contexts.names().collect(),
            arity: row.arity.to_string(),
            block: row.shape != Shape::Simple,
            default: row.default,
            doc: row.doc,
        }
    }
    let top = load::table().rows().iter().map(row);
    top.chain(scope::table().rows().iter().map(row)).collect()
}

/// nginx's directives, by name: those of `main` and those of `http` may share one.
fn reference() -> BTreeMap<&'static str, Vec<[&'static str; 5]>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in include_str!("data/directives.tsv").lines().skip(1) {
        let columns: Vec<_> = line.split('\t').collect();
        let columns: [_; 5] = columns.try_into().expect("five columns");
        all.entry(columns[0]).or_default().push(columns);
    }
    all
}

/// The sample of a row, and nginx's own words about it if it is one of nginx's.
fn known(row: &Row) -> (&'static str, Option<[&'static str; 5]>) {
    if let Some((_, sample)) = OWN.iter().find(|(name, _)| *name == row.name) {
        return (sample, None);
    }
    let reference = reference();
    let rows = reference
        .get(row.name)
        .unwrap_or_else(|| panic!("nginx has no {}", row.name));
    let here = |known: &&[&str; 5]| known[1].split(',').any(|name| row.contexts.contains(name));
    let known = rows
        .iter()
        .find(here)
        .unwrap_or_else(|| panic!("{} stands elsewhere", row.name));
    (known[4], Some(*known))
}

/// What is said about a configuration.
fn said(text: &str) -> Vec<String> {
    let plan = load::read(&load::Request {
        start: Start::embedded("test", text),
        prefix: PathBuf::from("/nonexistent"),
        error_log: None,
        keep_user: false,
        subject: None,
    });
    let error = |entry: &Entry| entry.message.clone();
    plan.draft.diagnostics.entries().iter().map(error).collect()
}

#[test]
fn names_are_unique_in_each_context() {
    let mut seen = HashSet::new();
    for row in rows() {
        for context in &row.contexts {
            assert!(
                seen.insert((row.name, *context)),
                "{} twice in {context}",
                row.name
            );
        }
    }
}

#[test]
fn docs_are_short_sentences() {
    for Row { name, doc, .. } in rows() {
        assert!(
            doc.starts_with(|c: char| c.is_uppercase() || c == '`'),
            "{name}: {doc}"
        );
        assert!(
            doc.ends_with('.') && doc.len() > 20 && doc.len() < 400,
            "{name}: {doc}"
        );
        assert!(!doc.contains("  ") && !doc.contains('\n'), "{name}: {doc}");
    }
}

#[test]
fn rows_say_what_nginx_says() {
    for row in rows() {
        let (_, Some([name, contexts, arguments, default, _])) = known(&row) else {
            continue;
        };
        assert_eq!(row.contexts, contexts.split(',').collect(), "{name}");
        let arity = match arguments.split_once(',') {
            Some((least, more)) => {
                format!("{least} to {}", more.rsplit(',').next().unwrap_or(more))
            }
            None => arguments.replace('+', " or more"),
        };
        assert_eq!(row.arity, arity, "{name}");
        let other = OTHER_DEFAULTS
            .iter()
            .find(|(other, own)| *other == name && *own == row.default);
        assert_eq!(row.default, other.map_or(default, |(_, own)| own), "{name}");
    }
}

#[test]
fn all_that_is_expected_is_there_and_nothing_of_it_counts_as_unbuilt() {
    let rows = rows();
    for name in EXPECTED
        .split_whitespace()
        .filter(|name| *name != "include")
    {
        assert!(rows.iter().any(|row| row.name == name), "{name} is missing");
    }
    for row in &rows {
        for context in &row.contexts {
            let unbuilt = unbuilt::find_in(row.name, context);
            assert!(
                unbuilt.is_none(),
                "{} in {context} is built and listed as unbuilt",
                row.name
            );
        }
    }
    for name in reference().keys() {
        assert!(
            rows.iter().any(|row| row.name == *name),
            "{name} is not built"
        );
    }
}

#[test]
fn every_name_is_built_or_known_as_unbuilt() {
    let rows = rows();
    let built = |name: &str| name == "include" || rows.iter().any(|row| row.name == name);
    for name in include_str!("data/all_directives.txt").lines() {
        let known = built(name) || !unbuilt::find(name).is_empty();
        assert!(known, "{name} is unknown");
    }
    let said = said("debug_points abort; events {}");
    assert_eq!(
        said[0],
        "\"debug_points\" directive has no effect: has no effect here"
    );
}

#[test]
fn each_is_accepted_where_it_may_stand_and_refused_elsewhere() {
    let rows = rows();
    for row in &rows {
        let (sample, _) = known(row);
        let end = if row.block { "" } else { ";" };
        let written = format!("{} {sample}{end}", row.name);
        for (context, before, after) in PLACES {
            let text = format!("{before}{written}{after}");
            let said = said(&text);
            let same_name = rows.iter().filter(|other| other.name == row.name);
            let allowed = same_name
                .clone()
                .any(|other| other.contexts.contains(context));
            let refusal = format!("\"{}\" directive is not allowed here", row.name);
            assert_eq!(said.contains(&refusal), !allowed, "{text}: {said:?}");
            // Where it may stand, it may still be given twice, or be for root only.
            let of_use = ["duplicate", "super-user"];
            let error = |line: &&String| {
                line.contains(row.name) && !of_use.iter().any(|word| line.contains(word))
            };
            assert_eq!(
                said.iter().any(|line| error(&line)),
                !allowed,
                "{text}: {said:?}"
            );
        }
    }
}

#[test]
fn a_wrong_number_of_arguments_is_refused() {
    for row in rows() {
        let admits = |count: usize| match row.arity.split_once(' ') {
            None => row.arity == count.to_string(),
            Some((least, rest)) => {
                let most = rest.strip_prefix("to ").and_then(|most| most.parse().ok());
                (least.parse().unwrap()..=most.unwrap_or(usize::MAX)).contains(&count)
            }
        };
        let (_, before, after) = PLACES
            .iter()
            .find(|(context, ..)| row.contexts.contains(context))
            .expect("a place to try it");
        for count in 0..6 {
            let end = if row.block { " {}" } else { ";" };
            let text = format!("{before}{}{}{end}{after}", row.name, " x".repeat(count));
            let wrong = format!("invalid number of arguments in \"{}\" directive", row.name);
            assert_eq!(
                said(&text).contains(&wrong),
                !admits(count),
                "{text}: {:?}",
                said(&text)
            );
        }
    }
}

#[test]
fn a_simple_directive_takes_no_block_and_a_block_no_semicolon() {
    for row in rows() {
        let (sample, _) = known(&row);
        let (_, before, after) = PLACES
            .iter()
            .find(|(context, ..)| row.contexts.contains(context))
            .expect("a place to try it");
        let head = sample.split('{').next().unwrap_or("");
        let (end, wrong) = if row.block {
            (
                ";",
                format!("directive \"{}\" has no opening \"{{\"", row.name),
            )
        } else {
            (
                " {}",
                format!("directive \"{}\" is not terminated by \";\"", row.name),
            )
        };
        let text = format!("{before}{} {head}{end}{after}", row.name);
        assert!(said(&text).contains(&wrong), "{text}: {:?}", said(&text));
    }
}

#[test]
fn a_default_that_is_written_changes_nothing() {
    let plain = |row: &&Row| !row.default.is_empty() && !NO_PLAIN_DEFAULT.contains(&row.name);
    let rows = rows();
    let rows: Vec<_> = rows.iter().filter(plain).collect();
    assert!(rows.len() > 50, "{}", rows.len());
    let base = Values::default();
    for row in rows {
        let written = format!("{} {};", row.name, row.default);
        let (before, after) = if row.contexts.contains("main") || row.contexts.contains("events") {
            (top(row, ""), top(row, &written))
        } else {
            (block(row, &base, ""), block(row, &base, &written))
        };
        assert_eq!(before, after, "{written}");
    }
}

/// What a directive of the top level, or of `events`, leaves behind.
fn top(row: &Row, written: &str) -> String {
    let text = match row.contexts.contains("events") {
        true => format!("events {{ {written} }}"),
        false => format!("{written} events {{}}"),
    };
    let plan = load::read(&load::Request {
        start: Start::embedded("test", text),
        prefix: PathBuf::from("/nonexistent"),
        error_log: None,
        keep_user: false,
        subject: None,
    });
    assert!(
        !plan.draft.diagnostics.errors(),
        "{:?}",
        plan.draft.diagnostics
    );
    format!("{:?} {:?}", plan.settings, plan.worker)
}

/// What a directive within `http` leaves behind.
fn block(row: &Row, base: &Values, written: &str) -> String {
    let places: [(&str, Contexts); 3] =
        [("http", HTTP), ("server", SERVER), ("location", LOCATION)];
    let (_, context) = places
        .iter()
        .find(|(context, _)| row.contexts.contains(context))
        .expect("a place within http");
    let mut draft = Draft::new(World {
        prefix: PathBuf::from("/nonexistent"),
        directory: PathBuf::new(),
        hostname: b"machine".to_vec(),
        privileged: false,
        outside: Outside::system().into(),
    });
    let mut scope = Scope::default();
    // Shared, so that what is not touched is shown in the same order.
    scope.values = base.clone();
    let items = parse::parse(
        Start::embedded("test", written),
        &Outside::system(),
        &mut Diagnostics::default(),
    )
    .items;
    scope::table().apply(&mut scope, &mut draft, &items, *context);
    assert!(
        !draft.diagnostics.errors(),
        "{written}: {:?}",
        draft.diagnostics
    );
    format!("{:?} {:?}", scope.values, scope.own)
}
