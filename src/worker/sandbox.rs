//! `worker_sandbox`: what a worker gives up before it has threads, and what it is left with. What
//! the kernel cannot do is told, and the worker goes on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use super::settings::{Sandbox, Settings};
use super::setup::{Setup, Who};
use crate::log;
use crate::site::draft::Site;
use crate::site::reach::Reach;
use crate::sys::sandbox::{Changes, Extent, Fence, Scope, deny_calls};
use crate::sys::{OsError, clock};

/// Directories that hold far more than logs, some of it obeyed by programs of root.
const TOO_WIDE: [&str; 11] = [
    "/", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/tmp", "/usr", "/var",
];

/// Read while a worker serves: the table of mounts is here. What there is of processes beyond the
/// sandbox, landlock itself keeps back.
const PROCESSES: &str = "/proc";

/// What workers are left with. It is made once for all of a configuration: a worker that takes the
/// place of another looks up no path that the configuration names, which might not answer by then.
pub struct Enclosure {
    fence: io::Result<Fence>,
    changes: Changes,
    /// What is to be told of it.
    remarks: Vec<String>,
}

impl Enclosure {
    /// What the configuration asks for, with this directory to work in; none if for nothing.
    pub fn plan(settings: &Settings, site: &Site, directory: Option<&Path>) -> Option<Enclosure> {
        let scope = match settings.isolation.sandbox {
            Sandbox::Off => return None,
            Sandbox::On => Scope::Changes,
            Sandbox::Strict => Scope::All,
        };
        let mut remarks = Vec::new();
        let fence = Fence::new(scope).map(|mut fence| {
            let core = settings
                .process
                .core
                .and_then(|_| core_directory(directory));
            // A place that cannot be looked up cannot be written either.
            for place in writable(&site.reach).iter().chain(&core) {
                let _ = fence.allow_writing(place);
            }
            allow_changes(&mut fence, &site.reach, &mut remarks);
            if scope == Scope::All {
                allow_reading(&mut fence, site, &mut remarks);
            }
            fence
        });
        let changes = changes(&site.reach);
        Some(Enclosure {
            fence,
            changes,
            remarks,
        })
    }
}

fn allow_reading(fence: &mut Fence, site: &Site, remarks: &mut Vec<String>) {
    // These may be missing: nothing may be served from the one, nothing mounted at the other.
    let _ = fence.allow_reading(&site.default_root);
    let _ = fence.allow_reading(Path::new(PROCESSES));
    for place in site.reach.reads.things() {
        if let Err(error) = fence.allow_reading(place) {
            let (place, error) = (place.display(), OsError(&error));
            remarks.push(format!(
                "nothing will be read at \"{place}\", it cannot be opened {error}"
            ));
        }
    }
}

/// What is changed beyond logs.
fn changes(reach: &Reach) -> Changes {
    let trees = !reach.trees.things().is_empty() || reach.trees_anywhere;
    match reach.temporary.things() {
        _ if trees => Changes::Trees,
        [] => Changes::None,
        _ => Changes::Temporary,
    }
}

/// Grants exactly the directories in which requests change files, and those of temporary files.
fn allow_changes(fence: &mut Fence, reach: &Reach, remarks: &mut Vec<String>) {
    if reach.trees_anywhere {
        let what =
            "files may be changed anywhere: a directory of \"dav_methods\" begins with a variable";
        remarks.push(what.to_owned());
        let _ = fence.allow_changing(Path::new("/"));
    }
    // A file moves from one to the other: the same is allowed in both.
    let trees = changes(reach) == Changes::Trees;
    for place in reach.trees.things().iter().chain(reach.temporary.things()) {
        let allowed = match trees {
            true => fence.allow_changing(place),
            false => fence.allow_temporary(place),
        };
        if let Err(error) = allowed {
            let (place, error) = (place.display(), OsError(&error));
            remarks.push(format!(
                "nothing will be changed at \"{place}\", it cannot be opened {error}"
            ));
        }
    }
}

/// Gives up what the configuration says.
pub(super) fn enter(setup: &Setup) {
    // One of them speaks for all.
    let tell = |what: &str| {
        if setup.slot == 0 {
            log::notice!("worker_sandbox: {what}");
        }
    };
    let Some(Enclosure {
        fence,
        changes,
        remarks,
    }) = &setup.enclosure
    else {
        return;
    };
    if matches!(setup.who, Who::Unchanged) {
        // The only process removes its pid file and its sockets.
        return tell("it has no effect with \"master_process off\"");
    }
    remarks.iter().for_each(|remark| tell(remark));
    // The time zone is read when it is first asked for.
    clock::local(0);
    match fence.as_ref().map(Fence::close) {
        Ok(Ok(Extent::Whole)) => {}
        Ok(Ok(Extent::Part)) => tell("this kernel's landlock does a part of it, Linux 6.12 all"),
        Ok(Ok(Extent::Nothing)) => tell("this kernel has no landlock, or has it disabled"),
        Ok(Err(error)) => tell(&format!("landlock failed {}", OsError(&error))),
        Err(error) => tell(&format!("landlock failed {}", OsError(error))),
    }
    if let Err(error) = deny_calls(*changes) {
        tell(&format!("seccomp failed {}", OsError(&error)));
    }
}

/// Where the kernel leaves the core file of a process in this directory; none if it hands it to a
/// program.
fn core_directory(directory: Option<&Path>) -> Option<PathBuf> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").ok()?;
    if pattern.starts_with('|') {
        return None;
    }
    let directory = directory.map_or_else(env::current_dir, |path| Ok(path.into()));
    let file = directory.ok()?.join(pattern.trim_end());
    file.parent().map(Path::to_owned)
}

/// What has to be granted so that all that is written can be, also in a directory that was removed
/// and made again: its parent is granted, if that is no wider than it should be.
fn writable(reach: &Reach) -> BTreeSet<PathBuf> {
    let written = reach.writes.things();
    let read_only = (reach.reads.things().iter()).filter(|path| !written.contains(path));
    let kept: BTreeSet<&Path> = (read_only.chain([&reach.prefix]))
        .map(PathBuf::as_path)
        .collect();
    let grant = |path: &PathBuf| {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        narrowed(&path, path.is_dir(), &kept)
    };
    written.iter().filter_map(grant).collect()
}

/// The widest of the parent of a file's directory, the directory and the file itself that is not
/// [`TOO_WIDE`] and holds nothing that is to be kept as it is.
fn narrowed(path: &Path, is_directory: bool, kept: &BTreeSet<&Path>) -> Option<PathBuf> {
    let levels = if is_directory { 1 } else { 2 };
    let mut candidates: Vec<&Path> = path.ancestors().take(levels + 1).collect();
    candidates.reverse();
    let holds_one = |place: &Path| {
        // What lies beneath a path follows it in the order of paths.
        let next = kept.range(place..).next();
        next.is_some_and(|root| root.starts_with(place))
    };
    let fits = |place: &&Path| !TOO_WIDE.contains(&&*place.to_string_lossy()) && !holds_one(place);
    candidates.into_iter().find(fits).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_of_a_log_directory_is_granted_unless_it_holds_more() {
        let kept = BTreeSet::from(["/srv/www", "/usr/local/site/html", "/data/x/y"].map(Path::new));
        for (log, granted) in [
            ("/var/log/nginx/access.log", "/var/log"),
            ("/var/log/access.log", "/var/log"),
            ("/srv/logs/access.log", "/srv/logs"),
            ("/srv/logs/a/access.log", "/srv/logs"),
            ("/usr/local/site/logs/error.log", "/usr/local/site/logs"),
            ("/usr/local/other/logs/error.log", "/usr/local/other"),
            ("/data/x/access.log", "/data/x/access.log"),
            ("/logs/access.log", "/logs"),
            ("/access.log", "/access.log"),
            ("/dev/pts/0", "/dev/pts"),
            ("/dev/null", "/dev/null"),
            ("/tmp/access.log", "/tmp/access.log"),
        ] {
            let place = narrowed(Path::new(log), false, &kept);
            assert_eq!(place.as_deref(), Some(Path::new(granted)), "{log}");
        }
        let uploads = narrowed(Path::new("/data/uploads/new"), true, &kept);
        assert_eq!(uploads.as_deref(), Some(Path::new("/data/uploads")));
    }
}
