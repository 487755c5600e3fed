//! The `forkful` program.

use std::env;
use std::process::ExitCode;

use forkful::master::Outcome;
use forkful::{cli, worker};

fn main() -> ExitCode {
    let code = match cli::run(env::args_os().skip(1)) {
        Outcome::Exit(code) => code,
        Outcome::Worker(setup) => worker::run(*setup),
        Outcome::Alone(alone) => {
            let (setup, estate) = *alone;
            let code = worker::run(setup);
            estate.remove();
            code
        }
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
