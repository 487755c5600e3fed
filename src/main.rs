//! The `forkful` program.

use std::env;
use std::process::ExitCode;

use forkful::cli;
use forkful::master::Outcome;

fn main() -> ExitCode {
    let code = match cli::run(env::args_os().skip(1)) {
        Outcome::Exit(code) => code,
        Outcome::Worker(recruit) => recruit.work(),
        Outcome::Alone(recruit, estate) => {
            let code = recruit.work();
            estate.remove();
            code
        }
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
