//! What is served.

pub mod pages;
pub mod unbuilt;
