//! Workers that die, and forks that fail, while no reload is under way.

use super::*;

#[test]
fn each_worker_of_the_first_start_is_admitted_when_it_is_ready() {
    let mut bench = Bench::serving();
    assert_eq!(bench.wait(), None);
    assert_eq!(bench.ready(2), [], "once");
}

#[test]
fn what_is_known_of_a_death_stands_in_its_line() {
    let mut bench = Bench::serving();
    let (pid, status) = (pid(1), KILLED);
    bench.handle(Event::Exited(Death {
        exit: Exit { pid, status },
        blamed: false,
        report: "slot 0, 7 requests served".into(),
    }));
    let line = "exited on signal 9 after 0.000 s (slot 0, 7 requests served), replaced at once";
    bench.logged(Level::Alert, line);
}

#[test]
fn a_dead_worker_is_replaced_at_once() {
    let mut bench = Bench::serving();
    bench.pass(12_000);
    bench.exit(1, KILLED);
    assert_eq!(bench.forked(), [3]);
    bench.logged(
        Level::Alert,
        "worker process 1 exited on signal 9 after 12.000 s, replaced at",
    );
    assert_eq!(bench.ready(3), [admit(3, 0, 1), admit(2, 1, 1)]);
}

#[test]
fn a_worker_that_dies_may_have_been_woken_for_a_connection_that_others_must_take() {
    let mut bench = Bench::started(3);
    (1..4).for_each(|number| drop(bench.ready(number)));
    let admitted = [admit(2, 0, 2), admit(3, 2, 1)];
    assert_eq!(bench.exit(1, KILLED), admitted, "3 is told the same again");
    assert_eq!(bench.exit(4, KILLED), [], "it had not been admitted");
    bench.pass(100);
    bench.ready(5);
    let left = bench.exit(5, ExitStatus::Code(0));
    assert_eq!(left, [admit(2, 0, 2)], "in order");
}

#[test]
fn the_next_ready_one_stands_in_for_empty_slots() {
    let mut bench = Bench::started(4);
    assert_eq!(bench.ready(3), [admit(3, 3, 4)], "alone for all");
    assert_eq!(bench.ready(1), [admit(1, 3, 2), admit(3, 1, 2)]);
    assert_eq!(bench.ready(4), [admit(1, 0, 1), admit(4, 3, 1)]);
    assert_eq!(
        bench.ready(2),
        [admit(2, 1, 1), admit(3, 2, 1)],
        "handed back"
    );
    bench.exit(4, KILLED);
    let last = bench.exit(3, KILLED);
    assert_eq!(last, [admit(1, 2, 3), admit(2, 1, 1)], "round the end");
}

#[test]
fn one_that_keeps_dying_is_backed_off() {
    let mut bench = Bench::serving();
    let mut victim = 1;
    for delay in [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000] {
        bench.pass(1);
        bench.exit(victim, KILLED);
        if delay > 0 {
            assert_eq!((bench.forked(), bench.wait()), (vec![], Some(delay)));
            bench.pass(delay as u64 - 1);
            assert_eq!(bench.forked(), []);
            bench.pass(1);
        }
        victim = bench.forked()[0];
        bench.ready(victim);
    }
    bench.logged(Level::Alert, "next attempt within 5000 ms");
}

#[test]
fn while_no_worker_is_ready_the_next_fork_is_brought_forward() {
    let mut bench = Bench::started(2);
    for victim in 1..9 {
        bench.exit(victim, KILLED);
        let (level, line) = bench.log.last().expect("a line");
        assert!(
            *level == Level::Alert && line.ends_with("within 100 ms"),
            "{line}"
        );
        bench.pass(100);
    }
    let starts = |level| {
        let start = |line: &&(Level, String)| line.0 == level && line.1.starts_with("start");
        bench.log.iter().filter(start).count()
    };
    assert_eq!((starts(Level::Notice), starts(Level::Info)), (2, 8));
    assert_eq!(
        bench.forked(),
        (3..11).collect::<Vec<_>>(),
        "one each 100 ms"
    );
    bench.ready(10);
    bench.exit(9, KILLED);
    assert_eq!(bench.pass(100), []);
    assert_eq!(bench.forked(), [], "now the back-off counts");
    assert!(bench.wait() > Some(1000));
}

#[test]
fn a_failed_fork_is_tried_again() {
    let mut bench = Bench::serving();
    let seat = Seat {
        generation: FIRST,
        slot: 0,
    };
    for delay in [100, 200, 400] {
        let event = match delay {
            100 => exited(pid(1), KILLED, false),
            _ => Event::Time,
        };
        let actions = bench.master.handle(event, bench.now);
        assert!(actions.contains(&Spawn(seat)), "{actions:?}");
        let error = "fork() failed (11: Resource temporarily unavailable)".into();
        bench.handle(Event::SpawnFailed { seat, error });
        let line = format!("unavailable), next attempt within {delay} ms");
        bench.logged(Level::Alert, &line);
        assert_eq!(bench.wait(), Some(delay));
        bench.now += Duration::from_millis(delay as u64);
    }
}

#[test]
fn a_first_worker_that_cannot_start_ends_the_master() {
    let mut bench = Bench::started(2);
    let actions = bench.exit(1, ExitStatus::Code(START_FAILED));
    assert_eq!(actions, [Close, tell(2, Command::Stop)]);
    bench.logged(Level::Emerg, "worker process 1 exited with code 2");
    assert_eq!(bench.exit(2, ExitStatus::Code(START_FAILED)), [Exit(1)]);
}

#[test]
fn a_later_worker_that_cannot_start_is_tried_again() {
    let mut bench = Bench::serving();
    bench.exit(1, KILLED);
    assert_eq!(bench.forked(), [3]);
    for (victim, delay) in [(3, 100), (4, 200), (5, 400)] {
        assert_eq!(bench.exit(victim, ExitStatus::Code(START_FAILED)), []);
        assert_eq!(bench.wait(), Some(delay), "as after a crash");
        bench.pass(delay as u64);
    }
}
