//! The life of sockets, on loopback addresses that the kernel chooses.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::atomic::{AtomicU8, Ordering};

use super::*;

fn wanted(address: impl Into<Address>) -> Wanted {
    Wanted {
        address: address.into(),
        options: Options::default(),
        backlog: 16,
    }
}

/// A port that the kernel chooses, of a loopback address that no other test has.
fn any_port() -> Listener {
    static LAST: AtomicU8 = AtomicU8::new(0);
    let [high, low] = (process::id() as u16).to_be_bytes();
    let address = [127, high, low, LAST.fetch_add(1, Ordering::Relaxed) + 1];
    let address = Address::Ip((address, 0).into());
    Listener::bind(&address, &Options::default()).expect("bound")
}

/// An address that nobody else uses.
fn free_address() -> Address {
    any_port().address().clone()
}

fn bind(wanted: &[Wanted], workers: usize, held: &Listeners) -> Result<Listeners, Refused> {
    Listeners::bind(wanted, workers, held, &Inherited::default())
}

fn connects(address: &Address) -> bool {
    TcpStream::connect(address.ip().expect("TCP")).is_ok()
}

#[test]
fn bound_sockets_listen_when_they_are_told_to() {
    let address = free_address();
    let listeners = bind(&[wanted(address.clone())], 4, &Listeners::default()).expect("bound");
    assert_eq!(listeners.0[0].sockets.len(), 1, "shared by all workers");
    assert!(!connects(&address));
    listeners.listen(&Listeners::default()).expect("listening");
    assert!(connects(&address));
}

#[test]
fn an_address_in_use_is_named_as_in_nginx() {
    let other = any_port();
    other.listen(1).expect("listening");
    let address = other.address().clone();
    let refused = bind(&[wanted(address.clone())], 1, &Listeners::default()).expect_err("in use");
    let line = format!("bind() to {address} failed (98: Address already in use)");
    assert_eq!((refused.lines, refused.in_use), (vec![line], true));
}

#[test]
fn a_reload_keeps_what_both_want_and_closes_the_rest() {
    let (kept, gone, new) = (free_address(), free_address(), free_address());
    let before = [wanted(kept.clone()), wanted(gone.clone())];
    let old = bind(&before, 1, &Listeners::default()).expect("bound");
    old.listen(&Listeners::default()).expect("listening");
    let waiting = TcpStream::connect(kept.ip().expect("TCP")).expect("connected");
    let next = bind(&[wanted(new.clone()), wanted(kept.clone())], 1, &old).expect("bound");
    assert!(Rc::ptr_eq(&next.0[1].sockets[0], &old.0[0].sockets[0]));
    next.listen(&Listeners::default()).expect("listening");
    old.close(&next);
    assert!(connects(&new) && connects(&kept) && !connects(&gone));
    let (_, peer) = next.0[1].sockets[0].accept().expect("it still waits");
    assert_eq!(peer.port(), waiting.local_addr().expect("bound").port());
}

#[test]
fn a_refused_set_leaves_nothing_behind() {
    let other = any_port();
    other.listen(1).expect("listening");
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("s");
    let both = [
        wanted(Address::Unix(path.clone())),
        wanted(other.address().clone()),
    ];
    bind(&both, 1, &Listeners::default()).expect_err("in use");
    assert!(!path.exists());
}

#[test]
fn each_slot_has_a_socket_with_reuseport_and_the_group_never_shrinks() {
    let mut wanted = wanted(free_address());
    wanted.options.reuseport = true;
    let wanted = [wanted];
    let two = bind(&wanted, 2, &Listeners::default()).expect("bound");
    let three = bind(&wanted, 3, &two).expect("bound");
    let one = bind(&wanted, 1, &three).expect("bound");
    let counts = [&two, &three, &one].map(|set| set.0[0].sockets.len());
    assert_eq!(counts, [2, 3, 3]);
    let slots = |set: &Listeners, workers| {
        let slot = |socket: Socket| socket.slot.expect("one");
        let sockets = set.sockets(workers).into_iter();
        sockets.map(slot).collect::<Vec<_>>()
    };
    assert_eq!(slots(&three, 3), [0, 1, 2]);
    assert_eq!(slots(&three, 2), [0, 1, 0], "each has an owner");
    assert_eq!(slots(&one, 1), [0, 0, 0]);
    one.listen(&Listeners::default()).expect("listening");
}

#[test]
fn a_socket_gets_companions_when_reuseport_is_turned_on() {
    let mut wanted = wanted(free_address());
    let old = bind(&[wanted.clone()], 2, &Listeners::default()).expect("bound");
    old.listen(&Listeners::default()).expect("listening");
    wanted.options.reuseport = true;
    let new = bind(&[wanted], 2, &old).expect("kept");
    let [first, second] = &new.0[0].sockets[..] else {
        panic!("two sockets");
    };
    assert!(Rc::ptr_eq(first, &old.0[0].sockets[0]));
    new.listen(&old).expect("listening");
    let connect = |_| TcpStream::connect(first.address().ip().expect("TCP")).expect("connected");
    let _clients: Vec<_> = (0..10).map(connect).collect();
    let accepted = |it: &Listener| std::iter::from_fn(|| it.accept().ok()).count();
    assert_eq!(accepted(first) + accepted(second), 10);
}

#[test]
fn files_of_unix_sockets_are_removed_by_their_owner() {
    let directory = tempfile::tempdir().expect("directory");
    let paths = ["a", "b"].map(|name| directory.path().join(name));
    let both = paths.clone().map(|path| wanted(Address::Unix(path)));
    let listeners = bind(&both, 1, &Listeners::default()).expect("bound");
    listeners.listen(&Listeners::default()).expect("listening");
    UnixStream::connect(&paths[0]).expect("connected");
    drop(listeners.clone());
    assert!(
        paths[0].exists(),
        "a fork that drops its copy removes nothing"
    );
    fs::remove_file(&paths[1]).expect("removed");
    fs::write(&paths[1], "another's").expect("written");
    listeners.close(&Listeners::default());
    assert!(!paths[0].exists());
    assert!(paths[1].exists(), "no longer ours");
}

#[test]
fn inherited_sockets_are_adopted_by_address() {
    use std::os::fd::{AsFd, IntoRawFd};
    let leave_open = |socket: &Listener| {
        let copy = socket.as_fd().try_clone_to_owned().expect("copied");
        copy.into_raw_fd()
    };
    let (first, second) = (any_port(), any_port());
    let numbers = [&first, &second].map(leave_open);
    let variable = format!("{};{};99999;x;4", numbers[0], numbers[1]);
    let mut inherited = Inherited::default();
    let lines = inherited.adopt(&variable, &[]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains("#99999 cannot be used (9: Bad file descriptor)"),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("invalid socket number \"x\" in NGINX"),
        "{lines:?}"
    );
    let wanted = [wanted(first.address().clone())];
    let bound = Listeners::bind(&wanted, 1, &Listeners::default(), &inherited).expect("bound");
    assert_eq!(bound.0[0].sockets[0].address(), first.address());
    let line = format!(
        "inherited socket for {} is not configured, closed",
        second.address()
    );
    assert_eq!(inherited.close(), [line]);
}
