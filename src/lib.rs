//! forkful: a prefork multi-process web server for Linux that reads nginx.conf.
//!
//! The layers, low to high; each uses only those above it in this list:
//!
//! - `sys`: the operating system; the only home of `unsafe`
//! - `log`: error log and log files
//! - `conf`: the configuration language
//! - `http`: the protocol, without I/O
//! - `files`: opened files and their metadata
//! - `site`: what is served
//! - `worker`: one process, one event loop
//! - `master`: binds, forks, supervises, reloads
//! - `cli`: the command line

pub mod cli;
pub mod conf;
pub mod files;
pub mod http;
pub mod log;
pub mod master;
pub mod site;
pub mod sys;
pub mod worker;
