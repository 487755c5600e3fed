//! Memory that a process and those it forks see alike: structs of atomics in an anonymous mapping.
//! Not what they hold.

use std::io;
use std::ptr;
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

/// Maps `count` zeroed values for this process and all that it forks from now on, for as long as
/// any of them lives. Memory is used for what is touched only.
///
/// # Errors
/// ENOMEM.
pub fn map<T: Plain>(count: usize) -> io::Result<&'static [T]> {
    if count == 0 || size_of::<T>() == 0 {
        return Ok(&[]);
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
    // SAFETY: the mapping is `size` zeroed bytes, aligned to a page, and is never unmapped; zeroes
    // are values of a plain type, and those change only through atomics.
    Ok(unsafe { std::slice::from_raw_parts(start.cast(), count) })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::super::alone::{alone, exit};
    use super::super::process::{Fork, fork, wait};
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
}
