//! Everything that this process has started, directly or not, so that nothing outlives its task (LT-13, LT-20).
//!
//! A process group catches ordinary children. A script may leave its group (`setsid`); therefore each task marks its environment, this
//! process adopts orphans (`PR_SET_CHILD_SUBREAPER`), and a sweep kills what carries the mark of a task that has ended.

use actors::world::World;
use parking_lot::Mutex;
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, set_child_subreaper, waitpid,
};
use std::{collections::BTreeSet, fs, io, sync::Arc, time::Duration};
use tokio::{
    process::{Child, Command},
    sync::Notify,
};

/// The variable that carries a task's mark.
const MARK: &str = "AVIARY_TASK";
/// Between two sweeps when no task ends. A sweep reads two small files for each process of the container: a few milliseconds.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Children(Arc<Inner>);

struct Inner {
    known: Mutex<Known>,
    ended: Notify,
    /// What marks of this process begin with: others of its kind may run beside it.
    prefix: String,
}

#[derive(Default)]
struct Known {
    /// Direct children; tokio reaps them.
    pids: BTreeSet<u32>,
    /// Marks of tasks that run.
    marks: BTreeSet<String>,
    next: u64,
}

/// A process group that is killed when this goes.
pub(crate) struct Group {
    children: Children,
    pid: u32,
    mark: String,
}

// === impl Children ===

impl Children {
    /// Adopt orphans from now on, and sweep.
    pub(crate) fn start(world: &World) -> Self {
        if let Err(error) = set_child_subreaper(Some(getpid())) {
            tracing::warn!(%error, "orphans of scripts cannot be adopted");
        }
        let (process, chance) = (std::process::id(), world.chance());
        let children = Self(Arc::new(Inner {
            known: Mutex::default(),
            ended: Notify::new(),
            prefix: format!("{process}-{chance:x}-"),
        }));
        let (sweeper, clock) = (children.clone(), world.clone());
        world.spawn(async move {
            loop {
                tokio::select! {
                    () = sweeper.0.ended.notified() => {}
                    () = clock.sleep(SWEEP_EVERY) => {}
                }
                sweeper.sweep();
            }
        });
        children
    }

    /// Start a command in a group of its own.
    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<(Child, Group)> {
        // Held over the start, so that no sweep sees a child that it does not know.
        let mut known = self.0.known.lock();
        known.next += 1;
        let mark = format!("{}{}", self.0.prefix, known.next);
        let child = command.process_group(0).kill_on_drop(true).env(MARK, &mark).spawn()?;
        let pid = child.id().unwrap_or_default();
        known.pids.insert(pid);
        known.marks.insert(mark.clone());
        let children = self.clone();
        Ok((child, Group { children, pid, mark }))
    }

    /// Kill what carries the mark of an ended task, and bury orphans.
    pub(crate) fn sweep(&self) {
        let known = self.0.known.lock();
        let own = std::process::id();
        for pid in running() {
            if known.pids.contains(&pid) || pid == own {
                continue;
            }
            let Some(id) = pid_of(pid) else { continue };
            match read_stat(pid) {
                Some((parent, 'Z')) if parent == own => {
                    waitpid(Some(id), WaitOptions::NOHANG).ok(); // somebody else may have been faster
                }
                Some((_, state)) if state != 'Z' && self.is_stray(pid, &known) => {
                    kill_process(id, Signal::Kill).ok(); // it may be gone by now
                    self.0.ended.notify_one(); // its corpse is for the next sweep
                }
                _ => {}
            }
        }
    }

    /// Whether a process carries the mark of a task of ours that has ended.
    fn is_stray(&self, pid: u32, known: &Known) -> bool {
        mark_of(pid).is_some_and(|mark| mark.starts_with(&self.0.prefix) && !known.marks.contains(&mark))
    }

    /// Tasks that run.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.0.known.lock().marks.len()
    }
}

fn pid_of(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

fn running() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

/// Parent and state. The name before them is in parentheses and may contain anything.
fn read_stat(pid: u32) -> Option<(u32, char)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((fields.next()?.parse().ok()?, state))
}

/// Only readable where it is ours to kill.
fn mark_of(pid: u32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let prefix = format!("{MARK}=");
    let entry = environment
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(prefix.as_bytes()))?;
    String::from_utf8(entry.to_vec()).ok()
}

// === impl Group ===

impl Group {
    /// Signal everything in the group.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(id) = pid_of(self.pid) {
            kill_process_group(id, signal).ok(); // an error means that nobody is left
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::Kill);
        let mut known = self.children.0.known.lock();
        known.pids.remove(&self.pid);
        known.marks.remove(&self.mark);
        drop(known);
        self.children.0.ended.notify_one();
    }
}
