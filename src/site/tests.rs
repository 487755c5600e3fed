//! What a site answers, feature by feature.

mod access;
mod answers;
mod clients;
mod errors;
mod files;
mod filters;
mod maps;
mod rewrite;
mod routing;
mod servers;
mod variables;
