//! The error log in nginx's format, the files behind logs, the buffers of access logs, and the
//! thread that writes them all.
//!
//! Knows nothing of requests: what an access log line says is made elsewhere.

mod backlog;
pub mod error;
pub mod escape;
mod family;
pub mod file;
mod level;
mod line;
mod losses;
mod macros;
pub mod memory;
pub mod process;
mod queue;
pub mod syslog;
mod thread;
pub mod writer;

pub use crate::{
    log_alert as alert, log_crit as crit, log_debug as debug, log_emerg as emerg,
    log_error as error, log_info as info, log_notice as notice, log_warn as warn,
};
pub use error::{ErrorLog, Sink, To};
pub use escape::{Escaped, Legible};
pub use family::Keep;
pub use file::{LogFile, LogFiles};
pub use level::Level;
pub use losses::lost;
pub use memory::Memory;
pub use process::{default, install, set_default, started, startup, write};
pub use queue::{finish, start};
pub use syslog::Syslog;
pub use writer::{Buffering, Writer};
