//! The machine's name.

use std::io;

/// The host name, as the system has it (nginx: `$hostname`).
///
/// # Errors
/// None that the kernel documents.
pub fn name() -> io::Result<String> {
    Ok(nix::unistd::gethostname()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn is_the_kernels() {
        let kernels = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("read");
        assert_eq!(super::name().expect("a name"), kernels.trim_end());
    }
}
