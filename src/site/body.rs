//! Bodies of requests. All are discarded here; their size is limited all the same.

use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;

use super::draft::Draft;

directives! {
    /// Bodies of requests.
    pub struct Body in "ngx_http_core_module" with Draft {
        /// Bytes a request body may have; past it the answer is 413. 0 turns the limit off.
        max_size: u64 = 1 << 20 =>
            "client_max_body_size" [HTTP | SERVER | LOCATION] 1, Clone, "1m", set(value::offset);
    }
    also {
        /// Accepted: no body is kept in memory.
        "client_body_buffer_size" [HTTP | SERVER | LOCATION] 1, Clone, "16k", check(value::size);
        /// Accepted: no body is written to a file, so the directory is not made.
        "client_body_temp_path" [HTTP | SERVER | LOCATION] 1..=4, Clone, "client_body_temp",
            with(temp_path);
    }
}

fn temp_path(_: &mut Body, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let mut levels = call.args()[1..].iter();
    match levels.find(|word| !matches!(&word.text[..], b"0" | b"1" | b"2" | b"3")) {
        Some(word) => Err(Reason::from(format!("invalid value \"{}\"", word.str())).at(word.place)),
        None => Ok(()),
    }
}
