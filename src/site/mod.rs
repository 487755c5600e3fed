//! What is served.

pub mod pages;
