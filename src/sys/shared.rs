//! Memory that a process and those it forks see alike: structs of atomics in an anonymous mapping.
//! Not what they hold.

use std::io;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64};

/// What may lie in shared memory. Declared by [`plain!`](crate::plain).
///
/// # Safety
/// All zeroes are a value, and so is whatever another process stores through a shared reference: no
/// pointers, no locks, nothing to drop.
pub unsafe trait Plain: Sync + 'static {}

// SAFETY: any bits are a number, and it is only ever changed as a whole.
unsafe impl Plain for AtomicI32 {}
// SAFETY: as above.
unsafe impl Plain for AtomicU32 {}
// SAFETY: as above.
unsafe impl Plain for AtomicU64 {}
// SAFETY: what holds for each element holds for all of them.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// Declares structs that may lie in shared memory: each field is
/// [`Plain`](crate::sys::shared::Plain) itself.
#[macro_export]
macro_rules! plain {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$meta])*
        $vis struct $name { $($(#[$field_meta])* $field_vis $field: $type,)* }

        // SAFETY: all its fields are plain, which the function below proves.
        #[allow(unsafe_code)]
        unsafe impl $crate::sys::shared::Plain for $name {}

        const _: () = {
            const fn is_plain<T: $crate::sys::shared::Plain>() {}
            $(is_plain::<$type>();)*
        };
    )*};
}

/// Zeroed values that this process shares with all that it forks while it has them. Each process
/// gives them up by itself; they are gone once the last one has.
pub struct Region<T: Plain> {
    start: NonNull<T>,
    count: usize,
}

// SAFETY: it is the owner of memory that any thread may read and give up.
unsafe impl<T: Plain> Send for Region<T> {}
// SAFETY: what is in there is `Sync`.
unsafe impl<T: Plain> Sync for Region<T> {}

impl<T: Plain> Region<T> {
    /// Maps `count` values. Memory is used for what is touched only.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn map(count: usize) -> io::Result<Region<T>> {
        if count == 0 || size_of::<T>() == 0 {
            let start = NonNull::dangling();
            return Ok(Region { start, count: 0 });
        }
        let too_much = || io::Error::from_raw_os_error(libc::ENOMEM);
        let size = size_of::<T>().checked_mul(count).ok_or_else(too_much)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping at a place that the kernel chooses touches nothing that exists.
        let start = unsafe { libc::mmap(ptr::null_mut(), size, access, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(too_much)?;
        Ok(Region { start, count })
    }

    /// The same values for as long as the process lives.
    pub fn leak(self) -> &'static [T] {
        let region = ManuallyDrop::new(self);
        // SAFETY: as in `deref`; and from now on nobody unmaps it.
        unsafe { std::slice::from_raw_parts(region.start.as_ptr(), region.count) }
    }
}

impl<T: Plain> Deref for Region<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the mapping is `count` zeroed values, aligned to a page, and stays for as long as
        // `self`; zeroes are values of a plain type, and those change only through atomics.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

impl<T: Plain> Drop for Region<T> {
    fn drop(&mut self) {
        if self.count == 0 {
            return;
        }
        // SAFETY: it was mapped with this size, and all that was borrowed of it has been given back.
        unsafe { libc::munmap(self.start.as_ptr().cast(), size_of::<T>() * self.count) };
    }
}

/// Maps `count` zeroed values for this process and all that it forks from now on, for as long as
/// any of them lives.
///
/// # Errors
/// ENOMEM.
pub fn map<T: Plain>(count: usize) -> io::Result<&'static [T]> {
    Region::map(count).map(Region::leak)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::super::alone::{alone, exit};
    use super::super::process::{ExitStatus, Fork, fork, wait};
    use super::*;

    crate::plain! {
        struct Pair {
            number: AtomicU64,
            list: [AtomicU32; 3],
        }
    }

    #[test]
    fn a_child_and_its_parent_see_the_same() {
        let name = "sys::shared::tests::a_child_and_its_parent_see_the_same";
        alone(name, || {
            let pairs: &[Pair] = map(1000).expect("mapped");
            assert_eq!(pairs[999].number.load(Relaxed), 0);
            match fork().expect("fork") {
                Fork::Child => {
                    pairs[999].number.store(7, Relaxed);
                    pairs[0].list[2].store(9, Relaxed);
                    exit(0)
                }
                Fork::Parent(child) => wait(child).expect("child"),
            };
            assert_eq!(pairs[999].number.load(Relaxed), 7);
            assert_eq!(pairs[0].list[2].load(Relaxed), 9);
        });
    }

    #[test]
    fn what_cannot_be_had_is_an_error() {
        assert!(map::<Pair>(usize::MAX / 4).is_err());
        assert!(map::<Pair>(1 << 50).is_err());
        assert!(map::<Pair>(0).expect("nothing").is_empty());
    }

    #[test]
    fn what_is_given_up_stays_for_the_others() {
        let name = "sys::shared::tests::what_is_given_up_stays_for_the_others";
        alone(name, || {
            let mapped = || {
                let maps = std::fs::read_to_string("/proc/self/maps").expect("read");
                maps.matches("/dev/zero").count()
            };
            let before = mapped();
            let words: Region<AtomicU64> = Region::map(1 << 20).expect("mapped");
            words[1 << 19].store(5, Relaxed);
            assert_eq!(mapped(), before + 1);
            let child = match fork().expect("fork") {
                Fork::Child => exit((words[1 << 19].load(Relaxed) != 5).into()),
                Fork::Parent(child) => child,
            };
            drop(words);
            assert_eq!(mapped(), before);
            assert_eq!(wait(child).expect("child").status, ExitStatus::Code(0));
        });
    }
}
