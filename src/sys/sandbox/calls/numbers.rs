//! The calls that are refused whatever their arguments.

use super::Changes;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod listed {
    use libc::*;

    /// Newer than the `libc` crate knows; such numbers are the same on all machines.
    const FCHMODAT2: c_long = 452;
    const SETXATTRAT: c_long = 463;
    const REMOVEXATTRAT: c_long = 466;
    const OPEN_TREE_ATTR: c_long = 467;
    const FILE_SETATTR: c_long = 469;

    #[rustfmt::skip]
    pub(super) const EVERYWHERE: &[c_long] = &[
        // Other programs and other processes.
        SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
        SYS_process_madvise, SYS_process_mrelease, SYS_kcmp, SYS_pidfd_open, SYS_pidfd_getfd,
        SYS_pidfd_send_signal, SYS_setpriority, SYS_ioprio_set, SYS_move_pages, SYS_migrate_pages,
        SYS_personality, SYS_setpgid, SYS_setsid,
        // Another user.
        SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid,
        SYS_setfsuid, SYS_setfsgid, SYS_setgroups, SYS_capset, SYS_add_key, SYS_request_key,
        SYS_keyctl,
        // Another view of the machine.
        SYS_mount, SYS_umount2, SYS_move_mount, SYS_fsopen, SYS_fsmount, SYS_fsconfig, SYS_fspick,
        SYS_open_tree, OPEN_TREE_ATTR, SYS_mount_setattr, SYS_pivot_root, SYS_chroot, SYS_unshare,
        SYS_setns,
        // The machine itself.
        SYS_reboot, SYS_kexec_load, SYS_init_module, SYS_finit_module, SYS_delete_module,
        SYS_swapon, SYS_swapoff, SYS_sethostname, SYS_setdomainname, SYS_settimeofday,
        SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime, SYS_syslog, SYS_acct, SYS_quotactl,
        SYS_quotactl_fd, SYS_vhangup,
        // Files: owners, permissions and names, of which landlock knows but a part.
        SYS_fchmod, SYS_fchmodat, FCHMODAT2, SYS_fchown, SYS_fchownat, SYS_setxattr,
        SYS_lsetxattr, SYS_fsetxattr, SETXATTRAT, SYS_removexattr, SYS_lremovexattr,
        SYS_fremovexattr, REMOVEXATTRAT, FILE_SETATTR, SYS_utimensat, SYS_mknodat, SYS_mkdirat,
        SYS_linkat, SYS_symlinkat, SYS_renameat2, SYS_unlinkat, SYS_truncate, SYS_ftruncate,
        SYS_fallocate, SYS_name_to_handle_at, SYS_open_by_handle_at, SYS_fanotify_init,
        // Rarely used, and often the way into the kernel.
        SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter,
        SYS_io_uring_register, SYS_memfd_secret, SYS_lookup_dcookie, SYS_shmget, SYS_semget,
        SYS_msgget, SYS_mq_open,
    ];

    /// glibc raises a signal by `tgkill`, which names the process; musl by this.
    #[cfg(target_env = "gnu")]
    pub(super) const SIGNALS: &[c_long] = &[SYS_tkill];
    #[cfg(not(target_env = "gnu"))]
    pub(super) const SIGNALS: &[c_long] = &[];

    #[cfg(target_arch = "x86_64")]
    #[rustfmt::skip]
    pub(super) const OLDER: &[c_long] = &[
        SYS_fork, SYS_vfork, SYS_setrlimit, SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_uselib, SYS__sysctl,
        SYS_kexec_file_load, SYS_chmod, SYS_chown, SYS_lchown, SYS_utime, SYS_utimes,
        SYS_futimesat, SYS_mknod, SYS_mkdir, SYS_rmdir, SYS_link, SYS_symlink, SYS_rename,
        SYS_renameat, SYS_unlink,
    ];
    /// Some lack a name in one of the C libraries: `renameat`, `setrlimit`, `kexec_file_load`.
    #[cfg(target_arch = "aarch64")]
    pub(super) const OLDER: &[c_long] = &[38, 164, 294];

    /// What temporary files take.
    #[cfg(target_arch = "x86_64")]
    pub(super) const TEMPORARY: &[c_long] = &[SYS_mkdirat, SYS_unlinkat, SYS_mkdir, SYS_unlink];
    #[cfg(target_arch = "aarch64")]
    pub(super) const TEMPORARY: &[c_long] = &[SYS_mkdirat, SYS_unlinkat];

    /// What else it takes to change trees of files.
    #[cfg(target_arch = "x86_64")]
    #[rustfmt::skip]
    pub(super) const TREES: &[c_long] = &[
        SYS_renameat2, SYS_renameat, SYS_rename, SYS_rmdir, SYS_fchmod, SYS_utimensat,
    ];
    #[cfg(target_arch = "aarch64")]
    pub(super) const TREES: &[c_long] = &[SYS_renameat2, 38, SYS_fchmod, SYS_utimensat];
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) fn never(changes: Changes) -> impl Iterator<Item = libc::c_long> {
    use listed::{EVERYWHERE, OLDER, SIGNALS, TEMPORARY, TREES};
    let needed = match changes {
        Changes::None => [&[][..], &[]],
        Changes::Temporary => [TEMPORARY, &[]],
        Changes::Trees => [TEMPORARY, TREES],
    };
    let all = [EVERYWHERE, SIGNALS, OLDER].into_iter().flatten().copied();
    all.filter(move |call| !needed.iter().any(|calls| calls.contains(call)))
}

/// Nobody has looked at the calls of this machine.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) fn never(_: Changes) -> impl Iterator<Item = libc::c_long> {
    std::iter::empty()
}
