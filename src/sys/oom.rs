//! How often the kernel killed for lack of memory in this process's control group. Not which
//! process it was.

use std::fs;
use std::path::{Path, PathBuf};

/// The counter of the memory control group, v1 or v2, that this process was in when asked first.
#[derive(Debug)]
pub struct Kills {
    /// None where there is no such counter.
    file: Option<PathBuf>,
    /// What is known of.
    seen: u64,
}

impl Kills {
    /// Counts from now on.
    pub fn from_now() -> Kills {
        Kills::below(Path::new("/"))
    }

    /// With the files below `root`, which is `/` but for tests.
    fn below(root: &Path) -> Kills {
        let file = counter(root);
        let seen = file.as_deref().and_then(read).unwrap_or(0);
        Kills { file, seen }
    }

    /// How many there were since the last time.
    pub fn take(&mut self) -> u64 {
        let Some(count) = self.file.as_deref().and_then(read) else {
            return 0;
        };
        count.saturating_sub(std::mem::replace(&mut self.seen, count))
    }
}

/// The first file with a counter of the groups in /proc/self/cgroup.
fn counter(root: &Path) -> Option<PathBuf> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounts = root.join("sys/fs/cgroup");
    let files = groups.lines().flat_map(|line| candidates(&mounts, line));
    files.into_iter().find(|file| read(file).is_some())
}

/// Where the counter may be by one line: `0::/path` for v2, `4:memory:/path` for v1. A container
/// sees its own group as the mount point, with a path that does not exist below it.
fn candidates(mounts: &Path, line: &str) -> Vec<PathBuf> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
        return Vec::new();
    };
    let path = path.trim_start_matches('/');
    let both = |mount: PathBuf, name: &str| [mount.join(path).join(name), mount.join(name)];
    if controllers.is_empty() {
        // The second place is where v2 is mounted beside v1.
        let places = [mounts.to_path_buf(), mounts.join("unified")];
        return places
            .into_iter()
            .flat_map(|mount| both(mount, "memory.events"))
            .collect();
    }
    if controllers
        .split(',')
        .any(|controller| controller == "memory")
    {
        let places = [mounts.join(controllers), mounts.join("memory")];
        return places
            .into_iter()
            .flat_map(|mount| both(mount, "memory.oom_control"))
            .collect();
    }
    Vec::new()
}

/// Both versions have a line `oom_kill 3`.
fn read(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::alone::{alone, exit};
    use super::super::process::{ExitStatus, Fork, Pid, fork, pid, wait};
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    /// The kills counted between two texts of this file, in this group.
    fn counted(group: &str, file: &str, texts: [&str; 2]) -> u64 {
        let root = tempfile::tempdir().expect("a folder");
        write(root.path(), "proc/self/cgroup", group);
        write(root.path(), file, texts[0]);
        let mut kills = Kills::below(root.path());
        assert_eq!(kills.take(), 0);
        write(root.path(), file, texts[1]);
        kills.take()
    }

    #[test]
    fn both_versions_count() {
        let v2 = [
            "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\noom_group_kill 0\n",
            "low 0\nhigh 0\nmax 9\noom 2\noom_kill 3\noom_group_kill 0\n",
        ];
        let v1 = [
            "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
        ];
        let events = "sys/fs/cgroup/a/b/memory.events";
        assert_eq!(counted("0::/a/b\n", events, v2), 2);
        let container = "sys/fs/cgroup/memory.events";
        assert_eq!(
            counted("0::/a/b\n", container, v2),
            2,
            "a path from outside"
        );
        let mixed = "5:cpu:/\n4:memory:/a/b\n0::/\n";
        let control = "sys/fs/cgroup/memory/a/b/memory.oom_control";
        assert_eq!(counted(mixed, control, v1), 1);
        let beside = "sys/fs/cgroup/unified/memory.events";
        assert_eq!(counted(mixed, beside, v2), 2, "v2 beside v1");
        assert_eq!(
            counted(mixed, "sys/fs/cgroup/cpu/memory.oom_control", v1),
            0
        );
        assert_eq!(counted("", events, v2), 0, "no control group");
        let old = ["oom_kill_disable 0\nunder_oom 0\n"; 2];
        assert_eq!(
            counted(mixed, control, old),
            0,
            "a kernel that does not count"
        );
    }

    /// A group below the one of this process, with this limit; none where that is not allowed.
    fn small_group(limit: &str) -> Option<PathBuf> {
        let own = counter(Path::new("/"))?;
        let group = own.parent()?.join(format!("forkful-test-{}", pid()));
        fs::create_dir(&group).ok()?;
        let v1 = fs::write(group.join("memory.limit_in_bytes"), limit);
        v1.or_else(|_| fs::write(group.join("memory.max"), limit))
            .ok()?;
        Some(group)
    }

    fn move_to(group: &Path, pid: Pid) {
        fs::write(group.join("cgroup.procs"), pid.to_string()).expect("moved");
    }

    #[test]
    fn a_kill_is_counted() {
        match small_group("8M") {
            Some(group) => fs::remove_dir(group).expect("removed"),
            None => return println!("skipped: no memory control group may be made here"),
        }
        alone("sys::oom::tests::a_kill_is_counted", || {
            let group = small_group("8M").expect("made");
            let (status, kills) = kill_in(&group);
            fs::remove_dir(&group).expect("removed");
            let killed = ExitStatus::Signal {
                number: 9,
                core: false,
            };
            assert_eq!((status, kills), (killed, 1));
        });
    }

    /// Lets a child in this group use more memory than it may; counts as its parent would.
    fn kill_in(group: &Path) -> (ExitStatus, u64) {
        let home = counter(Path::new("/")).expect("a counter");
        let home = home.parent().expect("a group");
        move_to(group, pid());
        let mut kills = Kills::from_now();
        let ended = match fork().expect("fork") {
            Fork::Child => {
                fs::write("/proc/self/oom_score_adj", "1000").expect("the one to be killed");
                exit(vec![1u8; 64 << 20].iter().map(|it| i32::from(*it)).sum())
            }
            Fork::Parent(child) => wait(child).expect("a child"),
        };
        let counted = kills.take();
        move_to(home, pid());
        (ended.status, counted)
    }
}
