//! System calls that another process is made to do, as somebody would who had taken it over. By
//! ptrace, on x86_64.

/// A call: its number and its first three arguments. Where there is a text, the first one points
/// to it.
pub struct Call<'a> {
    pub number: i64,
    pub text: Option<&'a str>,
    pub arguments: [u64; 3],
}

/// Makes a process, once it is in a system call or just behind one, do this one. Returns what the kernel answered, an
/// error as a negative number; `None` on a machine where nobody has written how.
#[cfg(target_arch = "x86_64")]
pub fn inject(pid: u32, call: &Call<'_>) -> Option<i64> {
    use nix::sys::ptrace;
    use nix::sys::signal::Signal;
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    use nix::unistd::Pid;
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use super::wait::wait_until;

    /// The instruction `syscall`.
    const SYSCALL: [u8; 2] = [0x0f, 0x05];

    let number = Pid::from_raw(pid.cast_signed());
    let stopped_by = |signal| {
        let status = waitpid(number, Some(WaitPidFlag::__WALL)).unwrap();
        assert_eq!(status, WaitStatus::Stopped(number, signal));
    };
    let path = format!("/proc/{pid}/mem");
    let memory = File::options().read(true).write(true).open(path).unwrap();
    let before = wait_until("it is in a system call", || {
        ptrace::attach(number).expect("it can be traced");
        stopped_by(Signal::SIGSTOP);
        let registers = ptrace::getregs(number).unwrap();
        let mut instruction = [0; 2];
        let place = registers.rip - 2;
        memory.read_exact_at(&mut instruction, place).unwrap();
        if instruction == SYSCALL {
            return Some(registers);
        }
        ptrace::detach(number, None).unwrap();
        None
    });
    let mut registers = before;
    // Nothing of the call it waits in is to be redone yet.
    registers.rip = before.rip - 2;
    registers.orig_rax = u64::MAX;
    registers.rax = call.number.cast_unsigned();
    [registers.rdi, registers.rsi, registers.rdx] = call.arguments;
    if let Some(text) = call.text {
        // Far below what the stack is used for.
        let place = before.rsp - 4096;
        let text = [text.as_bytes(), b"\0"].concat();
        memory.write_all_at(&text, place).unwrap();
        registers.rdi = place;
    }
    ptrace::setregs(number, registers).unwrap();
    ptrace::step(number, None).unwrap();
    stopped_by(Signal::SIGTRAP);
    let answer = ptrace::getregs(number).unwrap().rax.cast_signed();
    ptrace::setregs(number, before).unwrap();
    ptrace::detach(number, None).unwrap();
    Some(answer)
}

/// As on x86_64.
#[cfg(not(target_arch = "x86_64"))]
pub fn inject(_: u32, _: &Call<'_>) -> Option<i64> {
    None
}
