//! Paths: what is normalised stays within the root, and escaping can be undone.

#![no_main]

use forkful::http::path::{self, Escape};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    for merge_slashes in [true, false] {
        let Ok(path) = path::normalise(raw, merge_slashes) else {
            continue;
        };
        assert!(path.starts_with(b"/") && !path.contains(&0));
        let segments = || path.split(|&byte| byte == b'/').skip(1);
        assert!(segments().all(|segment| segment != b"." && segment != b".."));
        let empty = segments().filter(|segment| segment.is_empty()).count();
        assert!(!merge_slashes || empty <= usize::from(path.ends_with(b"/")));
        let escaped = path::escape(&path, Escape::Uri);
        assert_eq!(path::normalise(&escaped, merge_slashes), Ok(path.clone()));
    }
    for place in [Escape::Uri, Escape::Args, Escape::Component] {
        let escaped = path::escape(raw, place);
        assert!(escaped.is_ascii());
    }
    assert!(path::unescape_visible(raw).len() <= raw.len());
});
