//! The body of a request on its way to where it is kept: in memory as far as there is room for it,
//! then in a file that threads write. While they do, as much again is received, and then no more:
//! the client has to wait for the disk.

use std::io;
use std::time::Instant;

use super::client::Client;
use super::disk::Ticket;
use super::waiting::On;
use crate::files::temp::{RequestBody, TempFile};
use crate::http::{Fault, Id};
use crate::log::{Legible, Level};
use crate::site::body::Keep;
use crate::site::env::{Job, Lane, Wake};
use crate::sys::OsError;

/// The disk does not take it.
const UNKEPT: Fault = Fault {
    status: 500,
    reason: "the request body cannot be kept",
};
/// There is too much to do, or the disk does not answer.
const REFUSED: Fault = Fault {
    status: 503,
    reason: "the request body cannot be kept now",
};

/// A body that is being received.
pub struct Receiving {
    keep: Keep,
    /// What is in no file yet.
    bytes: Vec<u8>,
    store: Store,
    /// Bytes in the file, or on their way there.
    written: u64,
    ended: bool,
    /// The client has to wait.
    held: bool,
    /// When a thread was asked to write.
    asked: Instant,
}

/// The file, if there is one.
enum Store {
    None,
    Here(TempFile),
    /// A thread has it.
    Out(Ticket),
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// To wait for more.
    Receive,
    /// To wait for a thread.
    Hold,
    /// To write what there is.
    Write,
    /// Nothing: it is whole.
    Finish,
}

impl Receiving {
    /// One that has yet to begin.
    pub fn new(keep: Keep, now: Instant) -> Receiving {
        Receiving {
            keep,
            bytes: Vec::new(),
            store: Store::None,
            written: 0,
            ended: false,
            held: false,
            asked: now,
        }
    }

    /// When a thread began to write, if one does.
    pub fn asked(&self) -> Option<Instant> {
        matches!(self.store, Store::Out(_)).then_some(self.asked)
    }

    /// Whether what a ticket is for belongs to it.
    pub fn expects(&self, ticket: Ticket) -> bool {
        matches!(self.store, Store::Out(ours) if ours == ticket)
    }

    fn next(&self) -> Next {
        let waiting = self.bytes.len() as u64;
        match self.store {
            Store::Out(_) if !self.ended && waiting >= self.keep.buffer => Next::Hold,
            Store::Out(_) => Next::Receive,
            Store::None if self.keep.in_file && self.ended => Next::Write,
            Store::None if waiting > self.keep.memory => Next::Write,
            Store::None if self.ended => Next::Finish,
            Store::Here(_) if self.ended && self.bytes.is_empty() => Next::Finish,
            Store::Here(_) if self.ended || waiting >= self.keep.buffer => Next::Write,
            _ => Next::Receive,
        }
    }

    /// What a thread is to do with the bytes so far.
    fn write(&mut self) -> Job {
        let bytes = std::mem::take(&mut self.bytes);
        let file = match std::mem::replace(&mut self.store, Store::None) {
            Store::Here(file) => Some(file),
            _ => None,
        };
        self.written += bytes.len() as u64;
        let (directory, life) = (self.keep.directory.clone(), self.keep.life);
        let write = move || -> io::Result<TempFile> {
            let file = file.map_or_else(|| directory.create(life), Ok)?;
            file.append(&bytes)?;
            Ok(file)
        };
        Job {
            lane: Lane::Path(self.keep.directory.path.clone()),
            what: "keeping a request body",
            patient: true,
            run: Box::new(move || Box::new(write())),
        }
    }

    fn finish(self) -> RequestBody {
        match self.store {
            Store::Here(file) => RequestBody::File {
                file,
                length: self.written,
            },
            _ => RequestBody::Memory(self.bytes),
        }
    }
}

impl Client {
    fn receiving(&mut self) -> Option<(Id, &mut Receiving)> {
        let waiting = self.waiting.as_mut()?;
        match &mut waiting.on {
            On::Body(receiving) => Some((waiting.id, receiving)),
            _ => None,
        }
    }

    /// Bytes of a body have come.
    pub(super) fn body_came(&mut self, bytes: &[u8]) {
        if let Some((_, receiving)) = self.receiving() {
            receiving.bytes.extend_from_slice(bytes);
        }
        self.go_on_receiving();
    }

    /// A body is complete, or will never be.
    pub(super) fn body_ended(&mut self, id: Id, end: Result<(), Fault>) {
        match (self.receiving(), end) {
            (Some((_, receiving)), Ok(())) => {
                receiving.ended = true;
                self.go_on_receiving();
            }
            (Some(_), Err(fault)) => self.give_body_up(fault),
            (None, end) => self.resume(id, Wake::Body(end)),
        }
    }

    /// A thread has written a part of a body.
    pub(super) fn body_written(&mut self, written: io::Result<TempFile>) {
        let Some((id, receiving)) = self.receiving() else {
            return;
        };
        match written {
            Ok(file) => {
                // Its first part.
                let told = receiving.keep.told.take();
                let path = file.path().to_owned();
                receiving.store = Store::Here(file);
                if let (Some(level), Some(x)) = (told, self.exchange(id)) {
                    let what = "a client request body is buffered to a temporary file";
                    x.log(level, format_args!("{what} {}", Legible(&path)));
                }
                self.go_on_receiving();
            }
            Err(error) => {
                let path = receiving.keep.directory.path.clone();
                if let Some(x) = self.exchange(id) {
                    let (path, error) = (Legible(&path), OsError(&error));
                    let what = format_args!("request body cannot be written to \"{path}\" {error}");
                    x.log(Level::Crit, what);
                }
                self.give_body_up(UNKEPT);
            }
        }
    }

    fn give_body_up(&mut self, fault: Fault) {
        if let Some(waiting) = self.waiting.take() {
            self.resume(waiting.id, Wake::Body(Err(fault)));
        }
    }

    fn go_on_receiving(&mut self) {
        while let Some((id, receiving)) = self.receiving() {
            match receiving.next() {
                Next::Receive => {
                    if std::mem::take(&mut receiving.held) && !receiving.ended {
                        self.http.accept_body(id);
                    }
                    return;
                }
                Next::Hold => {
                    receiving.held = true;
                    return self.http.hold_body(id);
                }
                Next::Write => {
                    let job = receiving.write();
                    match self.employ(id, job) {
                        Some(ticket) => self.written_by(ticket),
                        None => return self.give_body_up(REFUSED),
                    }
                }
                Next::Finish => return self.finish_receiving(),
            }
        }
    }

    fn written_by(&mut self, ticket: Ticket) {
        let now = self.link.clock.now();
        if let Some((_, receiving)) = self.receiving() {
            receiving.store = Store::Out(ticket);
            receiving.asked = now;
        }
    }

    /// A thread takes too long.
    pub(super) fn body_late(&mut self) -> Wake {
        self.late(format_args!(
            "a part of the request body was not written in time"
        ));
        Wake::Body(Err(REFUSED))
    }

    fn finish_receiving(&mut self) {
        if let Some(waiting) = self.waiting.take()
            && let On::Body(receiving) = waiting.on
        {
            self.resume(waiting.id, Wake::Kept(receiving.finish()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::temp::{Life, TempDir};

    fn receiving(in_file: bool) -> (tempfile::TempDir, Receiving) {
        let folder = tempfile::tempdir().expect("a folder");
        let keep = Keep {
            limit: None,
            memory: 12,
            buffer: 10,
            in_file,
            directory: TempDir {
                path: folder.path().to_owned(),
                levels: Vec::new(),
            },
            life: Life::Dropped,
            told: None,
        };
        (folder, Receiving::new(keep, Instant::now()))
    }

    fn came(receiving: &mut Receiving, count: usize) -> Next {
        receiving.bytes.resize(receiving.bytes.len() + count, b'x');
        receiving.next()
    }

    fn ended(receiving: &mut Receiving) -> Next {
        receiving.ended = true;
        receiving.next()
    }

    /// A thread has the bytes so far.
    fn write(receiving: &mut Receiving) -> Job {
        let job = receiving.write();
        receiving.store = Store::Out(Ticket { key: 0, number: 1 });
        job
    }

    fn written(receiving: &mut Receiving, job: Job) -> Next {
        let written = (job.run)().downcast::<io::Result<TempFile>>();
        receiving.store = Store::Here(written.expect("a file").expect("written"));
        receiving.next()
    }

    #[test]
    fn what_fits_stays_in_memory() {
        let (_folder, mut body) = receiving(false);
        assert_eq!(came(&mut body, 12), Next::Receive);
        assert_eq!(ended(&mut body), Next::Finish);
        assert!(matches!(body.finish(), RequestBody::Memory(bytes) if bytes.len() == 12));
    }

    #[test]
    fn what_does_not_is_written_while_as_much_again_comes() {
        let (_folder, mut body) = receiving(false);
        assert_eq!(came(&mut body, 13), Next::Write);
        let job = write(&mut body);
        assert_eq!(came(&mut body, 9), Next::Receive);
        assert_eq!(
            came(&mut body, 1),
            Next::Hold,
            "the client waits for the disk"
        );
        assert_eq!(written(&mut body, job), Next::Write);
        let job = write(&mut body);
        assert_eq!(written(&mut body, job), Next::Receive);
        assert_eq!(came(&mut body, 3), Next::Receive);
        assert_eq!(ended(&mut body), Next::Write);
        let job = write(&mut body);
        assert_eq!(body.next(), Next::Receive, "the end waits for the disk");
        assert_eq!(written(&mut body, job), Next::Finish);
        let RequestBody::File { file, length } = body.finish() else {
            panic!("not in a file");
        };
        let in_file = file.file().metadata().expect("known").len();
        assert_eq!((length, in_file), (26, 26));
    }

    #[test]
    fn what_is_to_be_in_a_file_is_even_if_it_is_nothing() {
        let (folder, mut body) = receiving(true);
        assert_eq!(ended(&mut body), Next::Write);
        let job = write(&mut body);
        assert_eq!(written(&mut body, job), Next::Finish);
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 1);
        drop(body.finish());
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 0);
    }
}
