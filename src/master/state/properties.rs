//! What holds for the master whatever happens, in whatever order.

mod ends;
mod rules;
mod world;

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::*;
use crate::sys::process::ExitStatus;
use crate::sys::signal::Signal;
use crate::worker::command::START_FAILED;
use ends::Progress;
use world::World;

/// One thing that may happen next; the numbers choose among what is possible.
#[derive(Clone, Debug)]
enum Step {
    Signal(Signal),
    Ask,
    /// The checker under way is there, or is done.
    CheckStarts,
    Checked(bool),
    /// The load under way ends.
    Loaded(Option<usize>),
    /// A fork that was asked for succeeds or fails.
    Fork(bool),
    /// The sockets that were told to listen do or do not.
    Listen(bool),
    Ready(usize),
    Pong(usize),
    /// A worker closes its channel.
    Leave(usize),
    Exit(usize, ExitStatus, bool),
    /// Everything goes well with a reload to so many workers.
    Reload(usize),
    /// The binary that is to be executed is or is not.
    Execute(bool),
    SuccessorExit(ExitStatus),
    /// So many milliseconds pass, or as many as the master wants.
    Pass(Option<u64>),
}

fn step() -> impl Strategy<Value = Step> {
    use Signal::*;
    let signals = vec![Hup, Hup, Hup, Hup, Hup, Hup, Usr1, Usr2, Winch, Quit, Term];
    let killed = super::tests::KILLED;
    let ends = vec![
        killed,
        killed,
        ExitStatus::Code(0),
        ExitStatus::Code(START_FAILED),
    ];
    prop_oneof![
        2 => prop::sample::select(signals).prop_map(Step::Signal),
        1 => Just(Step::Ask),
        3 => Just(Step::CheckStarts),
        4 => prop::bool::weighted(0.8).prop_map(Step::Checked),
        4 => prop::option::weighted(0.8, 1..4usize).prop_map(Step::Loaded),
        12 => prop::bool::weighted(0.95).prop_map(Step::Fork),
        9 => prop::bool::weighted(0.8).prop_map(Step::Listen),
        16 => (0..99usize).prop_map(Step::Ready),
        9 => (0..99usize).prop_map(Step::Pong),
        1 => (0..99usize).prop_map(Step::Leave),
        4 => prop::bool::weighted(0.8).prop_map(Step::Execute),
        1 => prop::sample::select(ends.clone()).prop_map(Step::SuccessorExit),
        3 => (0..99usize, prop::sample::select(ends), any::<bool>())
            .prop_map(|(n, end, blamed)| Step::Exit(n, end, blamed)),
        1 => (1..4usize).prop_map(Step::Reload),
        2 => (0..1500u64).prop_map(|time| Step::Pass(Some(time))),
        4 => Just(Step::Pass(None)),
    ]
}

fn progress() -> impl Strategy<Value = Progress> {
    use Progress::*;
    prop::sample::select(vec![Nowhere, Checked, Ready])
}

/// The number of sequences: 100,000 at full size.
fn config() -> Config {
    let scale = std::env::var("FORKFUL_TEST_SCALE").ok();
    let scale = scale.map_or(0.005, |text| text.parse().expect("a number"));
    Config {
        cases: (100_000.0_f64 * scale).max(256.0) as u32,
        failure_persistence: None,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens(
        generations in 0..4usize,
        steps in prop::collection::vec(step(), 0..150),
        end in any::<bool>(),
        stall in prop::sample::select(vec![0, 2]),
        progress in prop::option::of(progress()),
        dies in any::<bool>(),
    ) {
        let mut world = World::new(generations, Duration::from_secs(stall));
        for step in steps {
            if world.code.is_some() {
                return Ok(());
            }
            world.step(step);
        }
        if let Some(progress) = progress.filter(|_| world.code.is_none()) {
            world.reloads_end(progress);
        }
        if world.code.is_none() {
            world.step(Step::Signal(if end { Signal::Quit } else { Signal::Term }));
            world.end(dies);
        }
        prop_assert!(world.code.is_some(), "it ends, even where its children do not");
        prop_assert!(world.asked.is_empty(), "each client was answered");
    }
}
