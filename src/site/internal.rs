//! `internal`: locations that no client can name.

use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::directives;

use super::draft::Draft;

directives! {
    /// Whether only internal redirects reach it.
    pub struct Internal in "ngx_http_core_module" with Draft {
        /// Answers 404 to all but internal redirects: error pages, index files, `try_files`.
        only: bool = false => "internal" [LOCATION] 0, Once, "", with(internal);
    }
}

fn internal(this: &mut Internal, _: &mut Draft, _: &Call<'_>) -> Result<(), Reason> {
    this.only = true;
    Ok(())
}
