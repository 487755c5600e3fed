//! A file system of one flat directory that this process answers for, and can stop to answer for:
//! as much of the FUSE protocol (linux/fuse.h, 7.31) as it takes to read files.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::server::MTIME;

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const RELEASE: u32 = 18;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const READDIR: u32 = 28;
const RELEASEDIR: u32 = 29;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

/// The largest request: a header and what comes with a read.
const REQUEST: usize = 64 << 10;
const ROOT: u64 = 1;

/// A mounted file system; unmounted when dropped.
pub struct SlowDisk {
    point: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    device: File,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Names, contents and times; a file's number is its place plus 2. A name that ends with a
    /// slash is an empty directory's.
    files: Vec<(String, Vec<u8>, u64)>,
    held: bool,
    /// It takes questions, and keeps the answers.
    mute: bool,
    unsaid: Vec<Vec<u8>>,
    over: bool,
}

impl SlowDisk {
    /// Whether this machine and user can mount one.
    pub fn is_possible() -> bool {
        nix::unistd::geteuid().is_root() && Path::new("/dev/fuse").exists()
    }

    /// Mounts one with these files.
    pub fn mount(point: &Path, files: &[(&str, &[u8])]) -> SlowDisk {
        std::fs::create_dir_all(point).unwrap();
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK);
        let device = options.open("/dev/fuse").unwrap();
        let fd = device.as_raw_fd();
        let options = format!("fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other");
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(
            Some("test"),
            point,
            Some("fuse.test"),
            flags,
            Some(options.as_str()),
        )
        .unwrap();
        let shared = Arc::new(Shared {
            device,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let server = shared.clone();
        let disk = SlowDisk {
            point: point.to_owned(),
            shared,
            thread: Some(thread::spawn(move || server.serve())),
        };
        files
            .iter()
            .for_each(|(name, content)| disk.write(name, content));
        disk
    }

    /// Writes a file; its time is then another.
    pub fn write(&self, name: &str, content: &[u8]) {
        let mut state = self.shared.state.lock().unwrap();
        match state.files.iter_mut().find(|(known, ..)| known == name) {
            Some((_, old, time)) => (*old, *time) = (content.to_vec(), *time + 1),
            None => state
                .files
                .push((name.into(), content.to_vec(), MTIME.as_secs())),
        }
    }

    /// Takes no more questions: whoever asks waits.
    pub fn hold(&self) {
        self.shared.state.lock().unwrap().held = true;
    }

    /// Takes questions and does not answer them: whoever asks cannot even be killed.
    pub fn hush(&self) {
        self.shared.state.lock().unwrap().mute = true;
    }

    /// Answers again.
    pub fn release(&self) {
        let mut state = self.shared.state.lock().unwrap();
        (state.held, state.mute) = (false, false);
        for answer in std::mem::take(&mut state.unsaid) {
            self.shared.say(&answer);
        }
        self.shared.changed.notify_all();
    }

    /// How many questions are not answered though they were taken.
    pub fn unanswered(&self) -> usize {
        self.shared.state.lock().unwrap().unsaid.len()
    }

    /// Whether a question waits.
    pub fn is_asked(&self) -> bool {
        self.shared.is_asked(0)
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().over = true;
        self.release();
        self.thread.take().map(JoinHandle::join);
        // What is left of it ends when the device is closed.
        let _ = umount2(&self.point, MntFlags::MNT_DETACH);
    }
}

impl Shared {
    fn is_asked(&self, milliseconds: u8) -> bool {
        let mut fds = [PollFd::new(self.device.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::from(milliseconds)).is_ok_and(|ready| ready > 0)
    }

    /// Whoever asked may have given up.
    fn say(&self, answer: &[u8]) {
        let _ = (&self.device).write(answer);
    }

    fn serve(&self) {
        let mut request = vec![0; REQUEST];
        loop {
            self.is_asked(5);
            let mut state = self.state.lock().unwrap();
            while state.held {
                state = self.changed.wait(state).unwrap();
            }
            if state.over {
                return;
            }
            let Ok(count) = (&self.device).read(&mut request) else {
                continue;
            };
            match state.answer(&request[..count]) {
                Some(answer) if state.mute => state.unsaid.push(answer),
                Some(answer) => self.say(&answer),
                None => {}
            }
        }
    }
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn small_number(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Bytes of a C structure.
#[derive(Default)]
struct Out(Vec<u8>);

impl Out {
    fn small(mut self, numbers: &[u32]) -> Out {
        numbers
            .iter()
            .for_each(|number| self.0.extend(number.to_ne_bytes()));
        self
    }

    fn large(mut self, numbers: &[u64]) -> Out {
        numbers
            .iter()
            .for_each(|number| self.0.extend(number.to_ne_bytes()));
        self
    }
}

impl State {
    /// The answer to a request; none where none is expected.
    fn answer(&self, request: &[u8]) -> Option<Vec<u8>> {
        let (code, unique, node) = (
            small_number(request, 4),
            &request[8..16],
            number(request, 16),
        );
        let result = self.result(code, node, &request[40..])?;
        let (error, body) = match result {
            Ok(out) => (0, out.0),
            Err(error) => (-error, Vec::new()),
        };
        let length = (16 + body.len()) as u32;
        let head = Out::default().small(&[length, error.cast_unsigned()]).0;
        Some([&head[..], unique, &body].concat())
    }

    fn result(&self, code: u32, node: u64, body: &[u8]) -> Option<Result<Out, i32>> {
        let out = Out::default();
        Some(match code {
            FORGET | BATCH_FORGET | INTERRUPT => return None,
            INIT => {
                let limits = [16 << 16 | 12, 4096, 1, 32, 0, 0, 0, 0, 0, 0, 0, 0];
                Ok(out.small(&[7, 31, 128 << 10, 0]).small(&limits))
            }
            LOOKUP => self.lookup(body),
            GETATTR => Ok(self.attributes(node, out.large(&[0]).small(&[0, 0]))),
            OPEN | OPENDIR => Ok(out.large(&[0, 0])),
            READ => Ok(Out(self.read(
                node,
                number(body, 8),
                small_number(body, 16),
            ))),
            READDIR => Ok(Out(self.names(number(body, 8)))),
            RELEASE | RELEASEDIR => Ok(out),
            _ => Err(libc::ENOSYS),
        })
    }

    fn lookup(&self, body: &[u8]) -> Result<Out, i32> {
        let name = body.strip_suffix(b"\0").unwrap_or(body);
        let at = self
            .files
            .iter()
            .position(|(known, ..)| known.trim_end_matches('/').as_bytes() == name);
        let node = at.ok_or(libc::ENOENT)? as u64 + 2;
        // Nothing is valid for any time: the kernel asks each time.
        Ok(self.attributes(node, Out::default().large(&[node, 0, 0, 0, 0])))
    }

    fn attributes(&self, node: u64, out: Out) -> Out {
        let (size, time, mode) = match self.files.get((node as usize).wrapping_sub(2)) {
            Some((name, content, time)) if !name.ends_with('/') => {
                (content.len() as u64, *time, libc::S_IFREG | 0o644)
            }
            _ => (0, MTIME.as_secs(), libc::S_IFDIR | 0o755),
        };
        let blocks = size.div_ceil(512);
        out.large(&[node, size, blocks, time, time, time])
            .small(&[0, 0, 0, mode, 1, 0, 0, 0, 4096, 0])
    }

    fn read(&self, node: u64, offset: u64, size: u32) -> Vec<u8> {
        let (_, content, _) = &self.files[node as usize - 2];
        let rest = content.get(offset as usize..).unwrap_or_default();
        rest[..rest.len().min(size as usize)].to_vec()
    }

    fn names(&self, offset: u64) -> Vec<u8> {
        let mut out = Vec::new();
        for (at, (name, ..)) in self.files.iter().enumerate().skip(offset as usize) {
            let (node, next) = (at as u64 + 2, at as u64 + 1);
            let kind = [name.len() as u32, u32::from(libc::DT_REG)];
            out.extend(Out::default().large(&[node, next]).small(&kind).0);
            out.extend(name.as_bytes());
            out.resize(out.len().next_multiple_of(8), 0);
        }
        out
    }
}
