//! What is served.

pub mod unbuilt;
