//! What the kernel says about a process: processor time and memory.

use anyhow::{Context, anyhow};
use std::{collections::BTreeMap, fs};

/// Ticks per second in `/proc/PID/stat`: Linux shows 100 to programs on every machine, whatever its own clock does.
const TICKS_PER_SEC: f64 = 100.0;

/// Processes of a control plane. The kernel shows 15 characters of a name.
const PARTS: [&str; 5] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
];

/// Usage of a process so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// Seconds of processor time, user and system, all threads.
    pub(crate) cpu_secs: f64,
    /// Resident memory in MiB.
    pub(crate) rss_mib: f64,
    /// The most resident memory since the start or since [`reset_peak`], in MiB.
    pub(crate) peak_mib: f64,
}

/// Usage of the process with this number.
pub(crate) fn of(pid: u32) -> anyhow::Result<Usage> {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).with_context(|| format!("process {pid}"));
    let memory = read("status")?;
    Ok(Usage {
        cpu_secs: cpu_secs(&read("stat")?).ok_or_else(|| anyhow!("/proc/{pid}/stat reads unexpectedly"))?,
        rss_mib: mib(&memory, "VmRSS").ok_or_else(|| anyhow!("process {pid} has ended"))?,
        peak_mib: mib(&memory, "VmHWM").unwrap_or_default(),
    })
}

/// From now on the peak is counted anew. Not every kernel lets us; then the peak is the one since the start.
pub(crate) fn reset_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").ok();
}

/// Seconds that all processors of the machine have worked, whoever for.
pub(crate) fn machine_busy_secs() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let mut fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<f64> = fields.by_ref().map_while(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already
    let busy = |at: usize| ticks.get(at).copied().unwrap_or_default();
    [0, 1, 2, 5, 6, 7].into_iter().map(busy).sum::<f64>() / TICKS_PER_SEC
}

/// Seconds of processor time so far of the processes that make up a control plane, and of this one, by name. On a machine with
/// several control planes they are added up.
pub(crate) fn of_parts() -> BTreeMap<&'static str, f64> {
    let mut parts = BTreeMap::new();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    for folder in pids.map(|entry| entry.path()) {
        let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
        let name = read("comm");
        let Some(part) = PARTS
            .iter()
            .find(|part| part.starts_with(name.trim()) && !name.trim().is_empty())
        else {
            continue;
        };
        *parts.entry(*part).or_default() += cpu_secs(&read("stat")).unwrap_or_default();
    }
    let own = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    parts.insert("this bench", cpu_secs(&own).unwrap_or_default());
    parts
}

/// Fields 14 and 15; the second field, the name in parentheses, may hold anything.
pub(crate) fn cpu_secs(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SEC)
}

/// A line of `/proc/PID/status` in MiB.
pub(crate) fn mib(status: &str, name: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}
