//! How many CPUs this process may use, and which: affinity and the quota of its control groups.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// What limits the CPUs of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Available {
    /// CPUs that it may run on.
    pub affinity: usize,
    /// CPUs' worth of time that its control groups (v1 or v2) allow, rounded up; `None` without a
    /// quota.
    pub quota: Option<usize>,
}

impl Available {
    /// The smaller of the two, at least 1.
    pub fn count(self) -> usize {
        self.quota.unwrap_or(usize::MAX).min(self.affinity).max(1)
    }
}

/// What this process may use now.
pub fn available() -> Available {
    let affinity = affinity().map_or(1, |cpus| cpus.len());
    Available {
        affinity,
        quota: quota(Path::new("/")),
    }
}

/// The numbers of the CPUs that the calling thread may run on.
///
/// # Errors
/// EINVAL on a machine of more than 1024 CPUs.
pub fn affinity() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count())
        .filter(|&cpu| set.is_set(cpu).unwrap_or(false))
        .collect())
}

/// Binds the calling thread to these CPUs (nginx: `worker_cpu_affinity`).
///
/// # Errors
/// EINVAL when none of them exists or may be used.
pub fn set_affinity(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cpus.iter().try_for_each(|&cpu| set.set(cpu))?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// The smallest quota of the process's control groups and their ancestors, as read below `root`
/// (`/`, but for tests).
fn quota(root: &Path) -> Option<usize> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    groups
        .lines()
        .filter_map(|line| quota_of_line(&root.join("sys/fs/cgroup"), line))
        .min()
}

/// The quota by one line of /proc/self/cgroup: `0::/path` for v2, `4:cpu,cpuacct:/path` for v1.
fn quota_of_line(mounts: &Path, line: &str) -> Option<usize> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    if controllers.is_empty() {
        // The second place is where v2 is mounted beside v1.
        let places = [mounts.to_path_buf(), mounts.join("unified")];
        return smallest(&places, path, quota_v2);
    }
    if controllers.split(',').any(|controller| controller == "cpu") {
        return smallest(
            &[mounts.join(controllers), mounts.join("cpu")],
            path,
            quota_v1,
        );
    }
    None
}

/// The smallest quota from the group `path` up to the mount point. A container sees its own group
/// as the mount point, with a path that does not exist below it: what is missing is passed over.
fn smallest(places: &[PathBuf], path: &str, read: fn(&Path) -> Option<usize>) -> Option<usize> {
    let path = Path::new(path.trim_start_matches('/'));
    let of_place = |place: &PathBuf| path.ancestors().filter_map(|a| read(&place.join(a))).min();
    places.iter().filter_map(of_place).min()
}

/// `cpu.max` is `QUOTA PERIOD` in microseconds, or `max PERIOD`.
fn quota_v2(group: &Path) -> Option<usize> {
    let text = fs::read_to_string(group.join("cpu.max")).ok()?;
    let (quota, period) = text.split_once(' ')?;
    cpus(quota, period)
}

/// The same in two files; without a quota it is -1.
fn quota_v1(group: &Path) -> Option<usize> {
    let quota = fs::read_to_string(group.join("cpu.cfs_quota_us")).ok()?;
    let period = fs::read_to_string(group.join("cpu.cfs_period_us")).ok()?;
    cpus(&quota, &period)
}

fn cpus(quota: &str, period: &str) -> Option<usize> {
    let (quota, period): (u64, u64) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
    (quota > 0 && period > 0).then(|| usize::try_from(quota.div_ceil(period)).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::alone::alone;
    use super::*;

    /// The quota on a machine that has these files.
    fn quota_with(files: &[(&str, &str)]) -> Option<usize> {
        let root = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        quota(root.path())
    }

    const V1: &str = "5:memory:/a\n4:cpu,cpuacct:/a/b\n1:name=systemd:/a/b\n";

    #[test]
    fn quotas() {
        let v2 = |max| ("sys/fs/cgroup/a/b/cpu.max", max);
        let v2_group = ("proc/self/cgroup", "0::/a/b\n");
        assert_eq!(quota_with(&[]), None, "no control groups");
        assert_eq!(quota_with(&[v2_group]), None, "no controller");
        assert_eq!(quota_with(&[v2_group, v2("max 100000\n")]), None);
        assert_eq!(
            quota_with(&[v2_group, v2("150000 100000\n")]),
            Some(2),
            "rounded up"
        );
        assert_eq!(quota_with(&[v2_group, v2("5000 100000\n")]), Some(1));
        assert_eq!(quota_with(&[v2_group, v2("nonsense")]), None);
        assert_eq!(quota_with(&[v2_group, v2("100 0")]), None);

        let ancestor = ("sys/fs/cgroup/a/cpu.max", "300000 100000\n");
        assert_eq!(
            quota_with(&[v2_group, v2("max 100000\n"), ancestor]),
            Some(3),
            "an ancestor's"
        );
        assert_eq!(
            quota_with(&[v2_group, v2("800000 100000\n"), ancestor]),
            Some(3),
            "the smaller"
        );

        let container = ("sys/fs/cgroup/cpu.max", "400000 100000\n");
        assert_eq!(
            quota_with(&[v2_group, container]),
            Some(4),
            "a path from outside"
        );

        let v1 = |place: &str, quota: &str| {
            let (one, two) = (
                format!("{place}/cpu.cfs_quota_us"),
                format!("{place}/cpu.cfs_period_us"),
            );
            quota_with(&[("proc/self/cgroup", V1), (&one, quota), (&two, "50000\n")])
        };
        assert_eq!(v1("sys/fs/cgroup/cpu,cpuacct/a/b", "120000\n"), Some(3));
        assert_eq!(v1("sys/fs/cgroup/cpu,cpuacct/a/b", "-1\n"), None);
        assert_eq!(
            v1("sys/fs/cgroup/cpu/a", "100000\n"),
            Some(2),
            "the other mount, an ancestor"
        );
        assert_eq!(
            v1("sys/fs/cgroup/memory/a", "100000\n"),
            None,
            "another controller"
        );
    }

    #[test]
    fn count_is_the_smaller() {
        let count = |affinity, quota| Available { affinity, quota }.count();
        assert_eq!(count(8, None), 8);
        assert_eq!(count(8, Some(3)), 3);
        assert_eq!(count(2, Some(3)), 2);
        assert!(available().affinity >= 1);
    }

    #[test]
    fn affinity_is_set() {
        alone("sys::cpu::tests::affinity_is_set", || {
            let last = affinity().expect("known").pop().expect("a CPU");
            set_affinity(&[last]).expect("set");
            assert_eq!(affinity().expect("known"), [last]);
            assert_eq!(available().affinity, 1);
            assert!(set_affinity(&[]).is_err());
            assert!(set_affinity(&[1 << 20]).is_err());
        });
    }
}
