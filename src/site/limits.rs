//! What is read of a request's head, and how strictly.

use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::http::{self, Linger};

use super::draft::Draft;

directives! {
    /// What is read of a request's head.
    pub struct Limits in "ngx_http_core_module" with Draft {
        /// Bytes a request's head may have before a large buffer is taken for it.
        header_buffer: u64 = 1024 =>
            "client_header_buffer_size" [HTTP | SERVER] 1, Clone, "1k", set(value::size);
        /// Number and size of large buffers: a request line or a field may have as many bytes as
        /// one of them, a head as many as all.
        large_buffers: (usize, usize) = (4, 8192) =>
            "large_client_header_buffers" [HTTP | SERVER] 2, Clone, "4 8k", with(large_buffers);
        /// Fields a request may have.
        max_headers: u64 = 1000 => "max_headers" [HTTP | SERVER] 1, Clone, "1000", set(value::number);
        /// Ignores fields with names of other than letters, digits and hyphens.
        ignore_invalid: bool = true =>
            "ignore_invalid_headers" [HTTP | SERVER] 1, Clone, "on", set(value::flag);
        /// Takes underscores in names of fields for valid.
        underscores: bool = false =>
            "underscores_in_headers" [HTTP | SERVER] 1, Clone, "off", set(value::flag);
        /// Takes adjacent slashes in a path for one.
        merge_slashes: bool = true =>
            "merge_slashes" [HTTP | SERVER] 1, Clone, "on", set(value::flag);
    }
}

fn large_buffers(this: &mut Limits, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.large_buffers = value::buffers(call.arg(0), call.arg(1))?;
    Ok(())
}

impl Limits {
    /// What the protocol is to keep to.
    pub fn protocol(&self, linger: Linger) -> http::Limits {
        http::Limits {
            header_buffer: self.header_buffer as usize,
            large_buffers: self.large_buffers,
            max_headers: self.max_headers as usize,
            ignore_invalid_headers: self.ignore_invalid,
            underscores_in_headers: self.underscores,
            linger,
        }
    }
}
