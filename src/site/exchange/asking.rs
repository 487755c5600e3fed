//! What an exchange asks of the world, and how it waits: each question gives what is at hand, or what
//! the exchange was woken with, or a need to wait for.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::Exchange;
use crate::files::{Found, Opened, Query};
use crate::site::env::{Env, Job, Lane, Need, Wake};
use crate::site::{open_files, symlinks};
use crate::sys::file::{self, Entry, Meta};

impl Exchange {
    /// Hands over what it waited for.
    pub fn wake(&mut self, why: Wake) {
        self.woken = Some(why);
    }

    /// What it waited for, for an exchange within this one.
    pub(in crate::site) fn woken(&mut self) -> Option<Wake> {
        self.woken.take()
    }

    /// Whether what it waited for will never come.
    pub(in crate::site) fn is_refused(&self) -> bool {
        matches!(self.woken, Some(Wake::Refused))
    }

    /// What came of a job, if it was woken with that.
    pub fn done<T: 'static>(&mut self) -> Option<T> {
        match self.woken.take_if(|why| matches!(why, Wake::Done(_)))? {
            Wake::Done(product) => product.downcast().ok().map(|product| *product),
            _ => None,
        }
    }

    /// What came of a job: the one it was woken with, or a need to wait for it. The job is to be
    /// done within the time that a client may stay silent.
    pub fn job<T: Send + 'static>(
        &mut self,
        lane: Lane,
        what: &'static str,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Need> {
        self.long_job(lane, what, run).map_err(|need| match need {
            Need::Job(job) => Need::Job(Job {
                patient: false,
                ..job
            }),
            need => need,
        })
    }

    /// As [`Exchange::job`], for one that may take as long as it takes.
    pub fn long_job<T: Send + 'static>(
        &mut self,
        lane: Lane,
        what: &'static str,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Need> {
        if let Some(product) = self.done() {
            return Ok(product);
        }
        Err(Need::Job(Job {
            lane,
            what,
            patient: true,
            run: Box::new(move || Box::new(run())),
        }))
    }

    /// Bytes of a file, fewer at its end; or a need to wait for them.
    pub fn read(
        &mut self,
        env: &mut dyn Env,
        file: &Arc<File>,
        range: Range<u64>,
    ) -> Result<io::Result<Vec<u8>>, Need> {
        if !matches!(self.woken, Some(Wake::Done(_)))
            && let Some(read) = env.read(file, range.clone())
        {
            return Ok(read);
        }
        let lane = Lane::Device(self.promised.map_or(0, |meta| meta.device));
        let file = file.clone();
        self.job(lane, "read", move || file::read(&file, range))
    }

    /// Waits for a point in time, unless it has come.
    pub fn until(&mut self, time: Instant) -> Result<(), Need> {
        self.woken.take_if(|why| matches!(why, Wake::Time));
        match self.clock().now() < time {
            true => Err(Need::Until(time)),
            false => Ok(()),
        }
    }

    /// What stands at a path: the answer it was woken with, or one at hand, or a need to wait.
    pub fn stat(&mut self, env: &mut dyn Env, path: &Path) -> Result<io::Result<Meta>, Need> {
        match self.look(env, self.asked(Query::Stat(path.to_owned())))? {
            Found::Meta(found) => Ok(found),
            other => Ok(Err(mistaken(&other))),
        }
    }

    /// As [`Exchange::stat`]: the file, opened.
    pub fn open(&mut self, env: &mut dyn Env, path: &Path) -> Result<io::Result<Opened>, Need> {
        match self.look(env, self.asked(Query::Open(path.to_owned())))? {
            Found::Opened(found) => Ok(found),
            other => Ok(Err(mistaken(&other))),
        }
    }

    /// As [`Exchange::stat`]: what is in the directory.
    pub fn list(&mut self, env: &mut dyn Env, path: &Path) -> Result<io::Result<Vec<Entry>>, Need> {
        match self.look(env, Query::List(path.to_owned()))? {
            Found::Entries(found) => Ok(found),
            other => Ok(Err(mistaken(&other))),
        }
    }

    /// As [`Exchange::stat`]: the path without symlinks.
    pub fn real(&mut self, env: &mut dyn Env, path: &Path) -> Result<io::Result<PathBuf>, Need> {
        match self.look(env, Query::Real(path.to_owned()))? {
            Found::Real(found) => Ok(found),
            other => Ok(Err(mistaken(&other))),
        }
    }

    /// A question as its location asks it.
    fn asked(&self, query: Query) -> Query {
        match symlinks::guard(self, query.path()) {
            Some(guard) => query.guarded(guard),
            None => query,
        }
    }

    fn look(&mut self, env: &mut dyn Env, query: Query) -> Result<Found, Need> {
        let found = match self.woken.take_if(|why| matches!(why, Wake::Found(_))) {
            Some(Wake::Found(found)) => found,
            _ => match open_files::answer(self, &query) {
                Some(found) => return Ok(found),
                None => match env.look(&query) {
                    Some(found) => found,
                    None => return Err(Need::Lookup(query)),
                },
            },
        };
        open_files::keep(self, env, &query, &found);
        Ok(found)
    }
}

/// The answer to a question that was not asked; the one who keeps the answers is at fault.
fn mistaken(found: &Found) -> io::Error {
    io::Error::other(format!("unasked: {found:?}"))
}
