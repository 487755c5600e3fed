//! Sizes of tables that nginx wants to be told, and that size themselves here.

use crate::conf::value;
use crate::directives;

use super::draft::Draft;

directives! {
    /// Sizes that size themselves here.
    pub struct Sizing in "ngx_http_core_module" with Draft {
    }
    also {
        /// Accepted: this table sizes itself.
        "server_names_hash_max_size" [HTTP] 1, Clone, "512", check(value::size);
        /// Accepted: this table sizes itself.
        "server_names_hash_bucket_size" [HTTP] 1, Clone, "64", check(value::size);
        /// Accepted: this table sizes itself.
        "types_hash_max_size" [HTTP | SERVER | LOCATION] 1, Clone, "1024", check(value::size);
        /// Accepted: this table sizes itself.
        "types_hash_bucket_size" [HTTP | SERVER | LOCATION] 1, Clone, "64", check(value::size);
        /// Accepted: this table sizes itself.
        "variables_hash_max_size" [HTTP] 1, Clone, "1024", check(value::size);
        /// Accepted: this table sizes itself.
        "variables_hash_bucket_size" [HTTP] 1, Clone, "64", check(value::size);
    }
}
