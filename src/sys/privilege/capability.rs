//! Capabilities: the pieces of root's power. Read and given up, never taken.

use std::io;

use super::super::error::check;
use super::failed;

/// _LINUX_CAPABILITY_VERSION_3: two words of 32 bits a set.
const VERSION: u32 = 0x2008_0522;

/// The highest number the kernel's interface has room for.
const LAST: i32 = 63;

#[repr(C)]
struct Header {
    version: u32,
    /// 0 is the calling thread.
    pid: i32,
}

/// Half of each set: capabilities 0 to 31, then 32 to 63.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The sets of the calling thread.
#[derive(Clone, Copy, Default)]
pub struct Held([Half; 2]);

impl Held {
    /// Whether any set holds any capability.
    pub fn any(&self) -> bool {
        self.0
            .iter()
            .any(|half| half.effective | half.permitted | half.inheritable != 0)
    }
}

/// What the calling thread may do.
///
/// # Errors
/// None that the kernel documents for these arguments.
pub fn held() -> io::Result<Held> {
    let mut held = Held::default();
    let mut header = Header {
        version: VERSION,
        pid: 0,
    };
    // SAFETY: the header names the version whose layout `Half` has, and the array is valid for its
    // two writes.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, held.0.as_mut_ptr()) };
    check(result as i32)?;
    Ok(held)
}

/// Gives up every capability for good, for a process that keeps the user it was started by. Before
/// there are threads: it concerns the calling one.
///
/// # Errors
/// They name the call that failed.
pub fn drop_capabilities() -> io::Result<()> {
    drop_bounding();
    let ambient = control(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL);
    // A kernel before 4.3 has no ambient set.
    match ambient {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
        other => other.map_err(|error| failed("prctl(PR_CAP_AMBIENT)", error))?,
    }
    let none = Held::default();
    let header = Header {
        version: VERSION,
        pid: 0,
    };
    // SAFETY: as in `held`; the kernel only reads both.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.0.as_ptr()) };
    check(result as i32).map_err(|error| failed("capset()", error))?;
    match held()?.any() {
        true => Err(io::Error::other(
            "capabilities were dropped, but some are left",
        )),
        false => Ok(()),
    }
}

/// What no program started from here could get back. Only the privileged may shrink it; the others
/// lack those capabilities anyway.
fn drop_bounding() {
    for capability in 0..=LAST {
        let _ = control(libc::PR_CAPBSET_DROP, capability);
    }
}

fn control(operation: i32, argument: i32) -> io::Result<()> {
    let (argument, zero) = (argument as libc::c_ulong, 0 as libc::c_ulong);
    // SAFETY: the operations used here take one number, and zeroes where the interface may grow.
    check(unsafe { libc::prctl(operation, argument, zero, zero, zero) }).map(drop)
}
