//! Resource limits of the process.

use std::{fs, io};

use nix::sys::resource::{Resource as System, getrlimit, setrlimit};

use super::error::check;

/// No limit.
pub const INFINITE: u64 = nix::sys::resource::RLIM_INFINITY;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Open descriptors (nginx: `worker_rlimit_nofile`).
    Descriptors,
    /// Bytes of a core file (nginx: `worker_rlimit_core`).
    Core,
    /// Bytes of the address space.
    Memory,
}

impl Resource {
    fn system(self) -> System {
        match self {
            Resource::Descriptors => System::RLIMIT_NOFILE,
            Resource::Core => System::RLIMIT_CORE,
            Resource::Memory => System::RLIMIT_AS,
        }
    }
}

/// A limit: the soft one counts, and may be raised to the hard one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What counts.
    pub soft: u64,
    /// What `soft` may be raised to without privileges.
    pub hard: u64,
}

impl Limit {
    /// One that cannot be raised.
    pub fn of(value: u64) -> Limit {
        Limit {
            soft: value,
            hard: value,
        }
    }
}

/// The limit now.
///
/// # Errors
/// None that the kernel documents for these resources.
pub fn get(resource: Resource) -> io::Result<Limit> {
    let (soft, hard) = getrlimit(resource.system())?;
    Ok(Limit { soft, hard })
}

/// Sets the limit.
///
/// # Errors
/// EPERM for a hard limit above the present one, without privileges; EINVAL for a soft one above
/// the hard one.
pub fn set(resource: Resource, limit: Limit) -> io::Result<()> {
    Ok(setrlimit(resource.system(), limit.soft, limit.hard)?)
}

/// Raises the soft limit of open descriptors to the hard one, and says what it is now.
///
/// # Errors
/// None that the kernel documents.
pub fn raise_descriptors() -> io::Result<u64> {
    let Limit { soft, hard } = get(Resource::Descriptors)?;
    if soft < hard {
        set(Resource::Descriptors, Limit { soft: hard, hard })?;
    }
    Ok(hard)
}

/// Sets how the process competes for processors (nginx: `worker_priority`): -20 gets most, 19
/// least, and what is beyond these counts as the nearest.
///
/// # Errors
/// EACCES for more than it has now, without privileges.
pub fn set_priority(nice: i32) -> io::Result<()> {
    // SAFETY: the call takes numbers; 0 is the calling process.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) }).map(drop)
}

/// Lets the process take at most `more` bytes of memory beyond what it has, for good.
///
/// # Errors
/// Those of reading /proc/self/status.
pub fn confine_memory(more: u64) -> io::Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:")?.split_whitespace().next());
    let kilobytes: Option<u64> = kilobytes.and_then(|number| number.parse().ok());
    let now = kilobytes.ok_or_else(|| io::Error::other("/proc/self/status has no VmSize"))? << 10;
    let bytes = now.saturating_add(more).min(get(Resource::Memory)?.hard);
    set(
        Resource::Memory,
        Limit {
            soft: bytes,
            hard: bytes,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::alone::alone;
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        alone(
            "sys::limit::tests::the_soft_limit_is_raised_to_the_hard_one",
            || {
                set(
                    Resource::Descriptors,
                    Limit {
                        soft: 50,
                        hard: 100,
                    },
                )
                .expect("lowered");
                assert_eq!(raise_descriptors().expect("raised"), 100);
                let now = get(Resource::Descriptors).expect("known");
                assert_eq!(
                    now,
                    Limit {
                        soft: 100,
                        hard: 100
                    }
                );
                set(Resource::Core, Limit { soft: 0, hard: 0 }).expect("set");
                assert_eq!(get(Resource::Core).expect("known").soft, 0);
                let above = Limit {
                    soft: 200,
                    hard: 100,
                };
                let error = set(Resource::Descriptors, above).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
            },
        );
    }

    #[test]
    fn confined_memory_grows_no_further() {
        alone(
            "sys::limit::tests::confined_memory_grows_no_further",
            || {
                // More than an allocator may have reserved for a thread.
                const PIECE: usize = 256 << 20;
                let reserve = |bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok();
                assert!(reserve(2 * PIECE));
                confine_memory(PIECE as u64 + (1 << 20)).expect("confined");
                assert!(reserve(PIECE) && !reserve(2 * PIECE));
                confine_memory(4 * PIECE as u64).expect("no wider");
                assert!(!reserve(2 * PIECE));
            },
        );
    }
}
