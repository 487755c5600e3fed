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

/// Refuses them to the calling thread and all that it will start. A call by another machine's
/// convention (32 bits on 64) ends the process.
///
/// # Errors
/// ENOSYS or EINVAL on a kernel without seccomp filters; `Unsupported` on a processor for which
/// the calls are not listed.
pub fn deny_calls() -> io::Result<()> {
    let program = program()?;
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

fn program() -> io::Result<Vec<sock_filter>> {
    let machine = TargetArch::try_from(ARCH).map_err(|_| io::ErrorKind::Unsupported)?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        numbers::never().map(|call| (call, Vec::new())).collect();
    if rules.is_empty() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    for (call, condition) in conditions().map_err(io::Error::other)? {
        let rule = SeccompRule::new(condition).map_err(io::Error::other)?;
        rules.entry(call).or_default().push(rule);
    }
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, machine);
    let listed = filter
        .and_then(BpfProgram::try_from)
        .map_err(io::Error::other)?;
    let same = |step: seccompiler::sock_filter| sock_filter {
        code: step.code,
        jt: step.jt,
        jf: step.jf,
        k: step.k,
    };
    Ok(first()
        .into_iter()
        .chain(listed.into_iter().map(same))
        .collect())
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

/// Two answers that the crate cannot give, before its own.
fn first() -> [sock_filter; 5] {
    // From here x86_64 has a second number for each call (x32); so small a number nobody else has.
    const X32: u32 = 0x4000_0000;
    let step = |code: u32, jt, jf, k| sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let (load, answer) = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_RET);
    let compare = |how| libc::BPF_JMP | libc::BPF_K | how;
    let error = |number: i32| libc::SECCOMP_RET_ERRNO | number as u32;
    [
        step(
            load,
            0,
            0,
            std::mem::offset_of!(libc::seccomp_data, nr) as u32,
        ),
        step(compare(libc::BPF_JGE), 0, 1, X32),
        step(answer, 0, 0, error(libc::EPERM)),
        // Its flags are in memory, where no filter sees them. Without it threads are made by `clone`.
        step(compare(libc::BPF_JEQ), 0, 1, libc::SYS_clone3 as u32),
        step(answer, 0, 0, error(libc::ENOSYS)),
    ]
}
