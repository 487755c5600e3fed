use crate::site::testing::{said, site};
