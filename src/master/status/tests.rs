//! Statuses as they are printed.

use super::*;
use crate::worker::scoreboard::State;

fn pid(number: i32) -> Pid {
    Pid::new(number).expect("positive")
}

fn busy() -> Status {
    let worker = |number| Worker {
        pid: pid(number),
        age: Duration::from_millis(61_500),
        life: Snapshot {
            pid: Some(pid(number)),
            slot: 0,
            generation: 1,
            state: State::Serving,
            connections: 3,
            accepted: 40,
            requests: 500,
            bytes: 6_000_000,
            responses: [0, 480, 15, 4, 1],
            jobs_refused: 0,
            log_lines_lost: 0,
        },
    };
    Status {
        pid: pid(7),
        predecessor: None,
        successor: Some(pid(8)),
        started: 1_767_409_445,
        uptime: Duration::from_secs(93_784),
        last_reload: Some(Reload {
            time: 1_767_409_445,
            generation: 2,
            outcome: Err("open() \"/a\u{1b}[2J\" failed".into()),
        }),
        generations: vec![Generation {
            number: 1,
            course: Course::Serving,
            age: Duration::from_secs(3_725),
        }],
        workers: vec![worker(12), worker(1234)],
        listeners: vec![Listener {
            address: b"unix:/\xff\"\n".to_vec(),
            options: vec!["backlog=511".into(), "reuseport".into()],
        }],
        restarts: vec![Restart {
            time: 0,
            pid: pid(11),
            generation: 1,
            slot: 0,
            cause: "exited on signal 9".into(),
        }],
        lines_lost: 8,
        jobs_refused: 9,
    }
}

#[test]
fn for_people() {
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "\
forkful {version}, master process 7, up 1d 2h
successor: process 8 runs beside it
last reload: 2026-01-03T03:04:05Z, generation 2 failed: open() \"/a\\u{{1b}}[2J\" failed
log lines lost: 8, jobs refused: 9

GENERATION  STATE      AGE  WORKERS  CONNECTIONS
         1  serving  1h 2m        2            6

 PID  GENERATION  SLOT  STATE      AGE  CONNECTIONS  ACCEPTED  REQUESTS    BYTES  1XX  2XX  3XX  4XX  5XX
  12           1     0  serving  1m 1s            3        40       500  6000000    0  480   15    4    1
1234           1     0  serving  1m 1s            3        40       500  6000000    0  480   15    4    1

LISTENER       OPTIONS
unix:/\\xFF\"\\n  backlog=511 reuseport

RESTART               PID  GENERATION  SLOT  CAUSE
1970-01-01T00:00:00Z   11           1     0  exited on signal 9
"
    );
    assert_eq!(busy().text(), expected);
}

#[test]
fn for_programs() {
    let json = busy().json();
    let parts = [
        "{\"version\":\"",
        ",\"pid\":7,\"predecessor\":null,\"successor\":8,\"started\":\"2026-01-03T03:04:05Z\",\"uptime\":93784.000,",
        "\"last_reload\":{\"time\":\"2026-01-03T03:04:05Z\",\"generation\":2,\
         \"outcome\":\"failed\",\"reason\":\"open() \\\"/a\\u001b[2J\\\" failed\"}",
        "\"generations\":[{\"number\":1,\"state\":\"serving\",\"age\":3725.000,\"workers\":2,\
         \"connections\":6}]",
        "{\"pid\":12,\"generation\":1,\"slot\":0,\"state\":\"serving\",\"age\":61.500,\
         \"connections\":3,\"accepted\":40,\"requests\":500,\"bytes\":6000000,\
         \"responses\":{\"1xx\":0,\"2xx\":480,\"3xx\":15,\"4xx\":4,\"5xx\":1}},{\"pid\":1234,",
        "\"listeners\":[{\"address\":\"unix:/\u{fffd}\\\"\\u000a\",\
         \"options\":[\"backlog=511\",\"reuseport\"]}]",
        "\"restarts\":[{\"time\":\"1970-01-01T00:00:00Z\",\"pid\":11,\"generation\":1,\
         \"slot\":0,\"cause\":\"exited on signal 9\"}]",
        "\"log_lines_lost\":8,\"jobs_refused\":9}\n",
    ];
    for part in parts {
        assert!(json.contains(part), "{part} is not in {json}");
    }
    let quiet = Status {
        predecessor: Some(pid(6)),
        successor: None,
        last_reload: None,
        generations: Vec::new(),
        workers: Vec::new(),
        listeners: Vec::new(),
        restarts: Vec::new(),
        ..busy()
    };
    assert!(
        quiet
            .json()
            .contains("\"last_reload\":null,\"generations\":[],\"workers\":[],")
    );
    assert!(
        quiet
            .json()
            .contains("\"predecessor\":6,\"successor\":null")
    );
    assert!(
        quiet
            .text()
            .contains("predecessor: process 6 runs beside it\nlast reload: none\n")
    );
}

#[test]
fn the_ends_of_workers_are_remembered() {
    let mut history = History::begin(0, Instant::now());
    let life = Snapshot {
        log_lines_lost: 2,
        jobs_refused: 1,
        ..busy().workers[0].life.clone()
    };
    let death = |number, status, report: &str| Death {
        exit: Exit {
            pid: pid(number),
            status,
        },
        blamed: false,
        report: report.into(),
    };
    let asked = death(1, ExitStatus::Code(0), "");
    history.ended(&asked, &life, 5);
    let left = Snapshot {
        state: State::Draining,
        ..life.clone()
    };
    history.ended(&death(2, ExitStatus::Code(1), ""), &left, 5);
    assert!(history.restarts.is_empty(), "they were to end");
    history.ended(&death(3, ExitStatus::Code(2), ""), &life, 6);
    history.ended(
        &death(4, ExitStatus::Code(2), "3 requests served"),
        &life,
        7,
    );
    let causes: Vec<_> = history
        .restarts
        .iter()
        .map(|it| (it.time, it.cause.as_str()))
        .collect();
    let expected = [
        (6, "exited with code 2"),
        (7, "exited with code 2, 3 requests served"),
    ];
    assert_eq!(causes, expected);
    assert_eq!((history.lines_lost, history.jobs_refused), (8, 4));
    for number in 1..=100 {
        history.ended(&death(number, ExitStatus::Code(1), ""), &life, 8);
    }
    let kept: Vec<_> = history.restarts.iter().map(|it| it.pid.number()).collect();
    assert_eq!(kept, (81..=100).collect::<Vec<_>>());
}
