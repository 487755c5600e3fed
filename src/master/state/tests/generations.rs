//! How many generations there may be.

use super::*;

fn capped(generations: usize) -> Bench {
    let terms = Terms {
        generations,
        ..terms(1)
    };
    let mut bench = Bench::started_with(terms);
    bench.ready(1);
    bench
}

/// Reloads as far as it gets by itself; returns what was done from its load on.
fn reload(bench: &mut Bench, number: u64, generations: usize) -> Vec<Action> {
    bench.signal(Signal::Hup);
    let terms = Terms {
        generations,
        ..terms(1)
    };
    let mut actions = bench.loaded_with(number, terms);
    for worker in bench.forked() {
        actions.extend(bench.ready(worker));
    }
    actions.extend(bench.pass(1000));
    actions
}

#[test]
fn past_the_cap_the_oldest_is_cut() {
    let mut bench = capped(2);
    for number in 2..4 {
        let actions = reload(&mut bench, number, 2);
        assert!(!actions.contains(&tell(1, Command::Stop)), "{actions:?}");
    }
    let actions = reload(&mut bench, 4, 2);
    assert!(actions.contains(&tell(1, Command::Stop)), "{actions:?}");
    bench.logged(Level::Warn, "the 1 workers of generation 1 are cut");
    assert!(!actions.contains(&tell(2, Command::Stop)), "{actions:?}");
}

#[test]
fn without_a_cap_none_is() {
    let mut bench = capped(0);
    for number in 2..40 {
        let actions = reload(&mut bench, number, 0);
        assert!(actions.contains(&Settle(number)), "{actions:?}");
        assert!(!actions.contains(&tell(1, Command::Stop)), "{actions:?}");
    }
}

#[test]
fn the_others_start_when_those_that_were_cut_are_gone() {
    let mut bench = capped(1);
    reload(&mut bench, 2, 1);
    bench.signal(Signal::Hup);
    let generations = 1;
    bench.loaded_with(
        3,
        Terms {
            generations,
            ..terms(3)
        },
    );
    assert_eq!(bench.forked(), [3], "the canary needs no room");
    assert_eq!(bench.ready(3), [tell(1, Command::Stop)]);
    assert_eq!(bench.forked(), []);
    bench.exit(1, ExitStatus::Code(0));
    assert_eq!(bench.forked(), [4, 5]);
}
