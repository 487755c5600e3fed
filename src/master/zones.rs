//! Zones of shared memory: mapped for a configuration, or taken over from whoever has the same one,
//! be it a configuration or a worker that still finishes its requests.

use std::rc::Rc;

use crate::site::zones::{Need, Zone};
use crate::sys::OsError;

/// What is needed, of what others hold or new.
///
/// # Errors
/// In nginx's words.
pub(super) fn map(needs: &[Need], held: &[Rc<Zone>]) -> Result<Vec<Rc<Zone>>, String> {
    let one = |need: &Need| match held.iter().find(|zone| zone.suits(need)) {
        Some(zone) => Ok(zone.clone()),
        None => Zone::map(need.clone()).map(Rc::new).map_err(|error| {
            let (size, error) = (need.size, OsError(&error));
            format!("mmap(MAP_ANON|MAP_SHARED, {size}) failed {error}")
        }),
    };
    needs.iter().map(one).collect()
}
