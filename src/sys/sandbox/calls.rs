//! System calls that fail with EPERM from now on (seccomp): those that a process which serves never
//! makes, and that whoever takes it over would want.
//!
//! What is allowed is allowed whatever its arguments, but for the few calls of [`conditions`]: the
//! kernel remembers such an answer by the call's number and does not run the filter.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::io;

use libc::{c_long, sock_filter, sock_fprog};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Is,
    SeccompCondition as Condition, SeccompFilter, SeccompRule, TargetArch,
};

mod numbers;
mod search;

use search::search;

/// What a process changes of the file system, beyond writing to files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// Nothing.
    None,
    /// It makes temporary files and removes them.
    Temporary,
    /// It changes trees of files.
    Trees,
}

/// Refuses them to the calling thread and all that it will start. A call by another machine's
/// convention (32 bits on 64) ends the process.
///
/// # Errors
/// ENOSYS or EINVAL on a kernel without seccomp filters; `Unsupported` on a processor for which
/// the calls are not listed.
pub fn deny_calls(changes: Changes) -> io::Result<()> {
    let program = program(changes)?;
    super::super::privilege::set_no_new_privileges()?;
    let program = sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_ptr().cast_mut(),
    };
    let (mode, flags) = (
        libc::SECCOMP_SET_MODE_FILTER,
        libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
    );
    // SAFETY: the program is as long as it says and outlives the call, which copies it. The flag
    // leaves speculation as it is: older kernels slow down a whole process that has a filter.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn program(changes: Changes) -> io::Result<Vec<sock_filter>> {
    let machine = TargetArch::try_from(ARCH).map_err(|_| io::ErrorKind::Unsupported)?;
    if refused(changes).next().is_none() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for (call, condition) in conditions().map_err(io::Error::other)? {
        let rule = SeccompRule::new(condition).map_err(io::Error::other)?;
        rules.entry(call).or_default().push(rule);
    }
    let eperm = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, eperm, machine);
    let depending = filter.and_then(BpfProgram::try_from);
    let same = |it: seccompiler::sock_filter| step(it.code.into(), it.jt, it.jf, it.k);
    let mut program = first().to_vec();
    program.extend(search(refused(changes).collect(), error(libc::EPERM)));
    program.extend(depending.map_err(io::Error::other)?.into_iter().map(same));
    Ok(program)
}

/// The numbers of the calls that are refused whatever their arguments.
fn refused(changes: Changes) -> impl Iterator<Item = u32> {
    numbers::never(changes).filter_map(|number| u32::try_from(number).ok())
}

/// What is refused depending on its arguments. All conditions of an entry have to hold.
fn conditions() -> Result<Vec<(c_long, Vec<Condition>)>, seccompiler::BackendError> {
    let when =
        |argument, operation, value| Condition::new(argument, Length::Dword, operation, value);
    let not_to_itself = || when(0, Is::Ne, std::process::id().into());
    let other_family = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6]
        .iter()
        .map(|&family| when(0, Is::Ne, family as u64));
    // A thread is wanted, a process or a namespace is not.
    let no_thread = Is::MaskedEq(libc::CLONE_THREAD as u64);
    Ok(vec![
        (libc::SYS_clone, vec![when(0, no_thread, 0)?]),
        (libc::SYS_socket, other_family.collect::<Result<_, _>>()?),
        (libc::SYS_kill, vec![not_to_itself()?]),
        (libc::SYS_tgkill, vec![not_to_itself()?]),
        (libc::SYS_rt_sigqueueinfo, vec![not_to_itself()?]),
        (libc::SYS_rt_tgsigqueueinfo, vec![not_to_itself()?]),
        // Limits may be asked for, which has no new one to point to.
        (
            libc::SYS_prlimit64,
            vec![Condition::new(2, Length::Qword, Is::Ne, 0)?],
        ),
        // Typing into the terminal that the server was started from.
        (libc::SYS_ioctl, vec![when(1, Is::Eq, libc::TIOCSTI as _)?]),
        (
            libc::SYS_ioctl,
            vec![when(1, Is::Eq, libc::TIOCLINUX as _)?],
        ),
    ])
}

/// Loads the call's number, and gives two answers that are about neither list.
fn first() -> [sock_filter; 5] {
    // From here x86_64 has a second number for each call (x32); so great a one nobody else has.
    const X32: u32 = 0x4000_0000;
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    [
        step(
            load,
            0,
            0,
            std::mem::offset_of!(libc::seccomp_data, nr) as u32,
        ),
        step(compare(libc::BPF_JGE), 0, 1, X32),
        error(libc::EPERM),
        // Its flags are in memory, where no filter sees them. Without it threads are made by
        // `clone`.
        step(compare(libc::BPF_JEQ), 0, 1, libc::SYS_clone3 as u32),
        error(libc::ENOSYS),
    ]
}

/// One step: what it does, how many steps are skipped if a comparison holds and if not, its number.
fn step(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    let code = code as u16;
    sock_filter { code, jt, jf, k }
}

/// Compares what is loaded with the step's number.
fn compare(how: u32) -> u32 {
    libc::BPF_JMP | libc::BPF_K | how
}

/// Ends the program: the call fails.
fn error(number: i32) -> sock_filter {
    step(libc::BPF_RET, 0, 0, libc::SECCOMP_RET_ERRNO | number as u32)
}
