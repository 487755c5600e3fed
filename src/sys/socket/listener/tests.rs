use std::fs;
use std::os::fd::IntoRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use super::super::super::poll::wait_readable;
use super::*;

fn any_port() -> Address {
    Address::Ip("127.0.0.1:0".parse().expect("an address"))
}

fn bind(address: &Address) -> io::Result<Listener> {
    Listener::bind(address, &Options::default())
}

fn number(listener: &Listener, level: i32, name: i32) -> i32 {
    option::number(listener.as_fd(), level, name).expect("an option")
}

#[test]
fn bind_and_listen_are_two_steps() {
    let listener = bind(&any_port()).expect("bound");
    assert_eq!(number(&listener, libc::SOL_SOCKET, libc::SO_ACCEPTCONN), 0);
    listener.listen(5).expect("listening");
    listener.listen(50).expect("listening, another backlog");
    assert_eq!(number(&listener, libc::SOL_SOCKET, libc::SO_ACCEPTCONN), 1);
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    let second = bind(listener.address()).unwrap_err();
    assert_eq!(second.raw_os_error(), Some(libc::EADDRINUSE));
}

#[test]
fn reuseport_shares_an_address() {
    let options = Options {
        reuseport: true,
        ..Options::default()
    };
    let first = Listener::bind(&any_port(), &options).expect("bound");
    let second = Listener::bind(first.address(), &options).expect("bound too");
    assert_eq!(first.address(), second.address());
}

#[test]
fn options_reach_the_socket() {
    let keepalive = KeepAlive {
        on: true,
        idle: Some(30),
        interval: Some(5),
        count: Some(3),
    };
    let options = Options {
        deferred: true,
        fastopen: Some(7),
        rcvbuf: Some(20_000),
        sndbuf: Some(30_000),
        keepalive: Some(keepalive),
        ..Options::default()
    };
    let listener = Listener::bind(&any_port(), &options).expect("bound");
    // The kernel doubles buffer sizes, and rounds deferral up to a whole retransmission.
    assert_eq!(number(&listener, libc::SOL_SOCKET, libc::SO_RCVBUF), 40_000);
    assert_eq!(number(&listener, libc::SOL_SOCKET, libc::SO_SNDBUF), 60_000);
    assert_eq!(number(&listener, libc::SOL_SOCKET, libc::SO_KEEPALIVE), 1);
    assert_eq!(number(&listener, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE), 30);
    assert_eq!(number(&listener, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL), 5);
    assert_eq!(number(&listener, libc::IPPROTO_TCP, libc::TCP_KEEPCNT), 3);
    assert_eq!(number(&listener, libc::IPPROTO_TCP, libc::TCP_FASTOPEN), 7);
    assert!(number(&listener, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT) > 0);
    listener.configure(&Options::default()).expect("configured");
    assert_eq!(
        number(&listener, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT),
        0
    );
}

#[test]
fn ipv6_only() {
    let any = Address::Ip("[::]:0".parse().expect("an address"));
    for only in [true, false] {
        let options = Options {
            ipv6only: Some(only),
            ..Options::default()
        };
        let listener = match Listener::bind(&any, &options) {
            // A machine without IPv6 cannot tell.
            Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => return,
            other => other.expect("bound"),
        };
        assert_eq!(
            number(&listener, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY),
            i32::from(only)
        );
    }
}

#[test]
fn a_unix_socket_is_for_everybody() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    let address = Address::Unix(path.clone());
    let listener = bind(&address).expect("bound");
    listener.listen(5).expect("listening");
    assert_eq!(listener.address(), &address);
    let mode = fs::metadata(&path).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o666);

    let _client = UnixStream::connect(&path).expect("connected");
    wait_readable(listener.as_fd());
    let (stream, peer) = listener.accept().expect("accepted");
    assert_eq!(peer, PeerAddress::Unix);
    assert_eq!(stream.local_address().expect("bound"), address);
    assert_eq!(
        stream.set_nodelay(true).unwrap_err().raw_os_error(),
        Some(libc::EOPNOTSUPP)
    );
}

#[test]
fn only_a_stale_socket_file_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let in_use = |name: &str| {
        let error = bind(&Address::Unix(folder.path().join(name))).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE), "{name}");
    };
    fs::write(folder.path().join("plain"), "text").expect("written");
    in_use("plain");
    assert_eq!(
        fs::read(folder.path().join("plain")).expect("kept"),
        b"text"
    );

    let live = UnixListener::bind(folder.path().join("socket")).expect("bound");
    in_use("socket");
    drop(live);
    bind(&Address::Unix(folder.path().join("socket"))).expect("replaced");
}

#[test]
fn inherited_sockets_are_checked() {
    let inherited = |number: RawFd| Listener::from_inherited(number);
    let refused = |fd: OwnedFd, errno: i32| {
        let error = inherited(fd.as_raw_fd()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(errno));
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = Address::Ip(listener.local_addr().expect("bound"));
    let listener = inherited(listener.into_raw_fd()).expect("a listener");
    assert_eq!(listener.address(), &address);
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );

    let bound = bind(&any_port()).expect("bound");
    inherited(bound.fd.into_raw_fd()).expect("a bound socket that does not listen yet");

    refused(tempfile::tempfile().expect("a file").into(), libc::ENOTSOCK);
    refused(
        std::net::UdpSocket::bind("127.0.0.1:0")
            .expect("bound")
            .into(),
        libc::EINVAL,
    );
    refused(UnixStream::pair().expect("a pair").0.into(), libc::EINVAL);
    for number in [-1, 0, 2, 1_000_000] {
        assert_eq!(
            inherited(number).unwrap_err().raw_os_error(),
            Some(libc::EBADF)
        );
    }
}
