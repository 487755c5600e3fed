//! The configuration language: from bytes to a tree of words, and from words to typed values.
//!
//! It knows no directive by name, but `include`, which is part of the language, and Lua blocks,
//! which are not.

pub mod context;
pub mod diagnostic;
pub mod directive;
mod include;
mod lexer;
mod lua;
pub mod network;
pub mod outside;
pub mod packed;
pub mod parse;
pub mod pattern;
mod pcre;
pub mod source;
pub mod table;
pub mod template;
pub mod tree;
pub mod value;
