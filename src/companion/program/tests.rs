//! Real processes in real time; nothing sleeps, each test waits for what must happen.

use super::*;
use crate::companion::brake::Brake;

const LONG: Duration = Duration::from_mins(1);
const KINDLY: Farewell = Farewell {
    interrupt: false,
    grace: LONG,
};
const AT_ONCE: Farewell = Farewell {
    interrupt: false,
    grace: Duration::ZERO,
};

fn bash(script: &str, farewell: Farewell) -> Program {
    Program {
        words: vec!["bash".into(), "-c".into(), script.into()],
        environment: None,
        farewell,
    }
}

fn world() -> World {
    World::threads(tokio::runtime::Handle::current(), Vec::new())
}

/// Run it; `when` says what has to be in the output before the brake is pulled.
async fn run_until(program: Program, limit: Duration, when: Option<&'static str>) -> (Ending, String, Children) {
    let world = world();
    let children = Children::start(&world);
    let output = Output::default();
    let (brake, stop) = Brake::new();
    let running = run(&world, &children, &program, &output, limit, stop);
    let watching = async {
        let Some(wanted) = when else {
            return std::future::pending::<()>().await;
        };
        while !output.text().contains(wanted) {
            tokio::task::yield_now().await;
        }
        brake.pull(Why::NewRevision);
        std::future::pending::<()>().await;
    };
    let ending = tokio::select! {
        ending = running => ending,
        () = watching => unreachable!("it watches for ever"),
    };
    (ending, output.text(), children)
}

async fn until_gone(pid: u32) {
    let gone = async {
        while matches!(std::fs::read_to_string(format!("/proc/{pid}/stat")), Ok(stat) if !stat.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(LONG, gone).await.is_ok(), "{pid} still runs");
}

#[tokio::test]
async fn output_and_errors_keep_their_order() {
    let (ending, text, children) = run_until(bash("echo a; echo b >&2; echo c; exit 3", KINDLY), LONG, None).await;
    assert_eq!(text, "a\nb\nc\n");
    assert_eq!((ending.code(), ending.text().as_str()), (Some(3), "exit status 3"));
    assert!(!ending.is_success());
    assert_eq!(children.count(), 0);
}

#[tokio::test]
async fn a_program_that_is_not_there_says_so() {
    let program = Program {
        words: vec!["/no/such/program".into()],
        environment: None,
        farewell: KINDLY,
    };
    let (ending, _, _) = run_until(program, LONG, None).await;
    assert!(
        ending.text().starts_with("not started: No such file"),
        "{}",
        ending.text()
    );
}

#[tokio::test]
async fn the_environment_is_what_it_is_given() {
    let mut program = bash("echo \"[$ONLY][$HOME]\"", KINDLY);
    program.environment = Some(BTreeMap::from([("ONLY".to_owned(), "this".to_owned())]));
    let (_, text, _) = run_until(program, LONG, None).await;
    assert_eq!(text, "[this][]\n");
}

#[tokio::test]
async fn the_time_limit_ends_the_whole_group() {
    // The child of the child holds the pipe, and says who it is.
    let script = "bash -c 'echo $$; exec tail -f /dev/null' | cat";
    let (ending, text, _) = run_until(bash(script, AT_ONCE), Duration::from_millis(300), None).await;
    assert!(matches!(ending.cause, Some(Cause::Limit(_))), "{ending:?}");
    assert!(
        ending.text().contains("time limit of 300ms exceeded"),
        "{}",
        ending.text()
    );
    if let Ok(pid) = text.trim().parse() {
        until_gone(pid).await;
    }
}

#[tokio::test]
async fn who_is_stopped_may_say_goodbye() {
    let script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do :; done";
    let (ending, text, _) = run_until(bash(script, KINDLY), LONG, Some("ready")).await;
    assert_eq!(text, "ready\nbye\n");
    assert!(!ending.is_success(), "it was stopped");
    assert_eq!(ending.text(), "exit status 0 (stopped: the canary has a new revision)");
}

#[tokio::test]
async fn who_does_not_listen_is_killed() {
    let script = "trap '' TERM INT; echo ready; while :; do :; done";
    let (ending, _, _) = run_until(bash(script, AT_ONCE), LONG, Some("ready")).await;
    assert_eq!(ending.text(), "signal: killed (stopped: the canary has a new revision)");
}

#[tokio::test]
async fn who_leaves_the_group_is_swept() {
    // `setsid` makes a new session: signals to the group do not reach it, and its parent is gone.
    let script = "setsid bash -c 'echo pid $$; exec tail -f /dev/null' & sleep 0; echo ready; wait";
    let (_, text, children) = run_until(bash(script, AT_ONCE), LONG, Some("pid ")).await;
    let pid = text
        .split("pid ")
        .nth(1)
        .and_then(|rest| rest.lines().next()?.parse().ok());
    until_gone(pid.unwrap()).await;
    assert_eq!(children.count(), 0);
}

#[tokio::test]
async fn dropping_it_kills_it() {
    let world = world();
    let children = Children::start(&world);
    let output = Output::default();
    let (_brake, stop) = Brake::new();
    let program = bash("echo $$ x; exec tail -f /dev/null", KINDLY);
    let seen = async {
        while !output.text().contains('x') {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ending = run(&world, &children, &program, &output, LONG, stop) => panic!("{ending:?}"),
        () = seen => {}
    }
    until_gone(output.text().split(' ').next().unwrap().parse().unwrap()).await;
    assert_eq!(children.count(), 0);
}

#[test]
fn programs_are_found_on_the_path() {
    assert!(find("sh").is_some_and(|path| path.ends_with("sh")));
    assert_eq!(find("no-such-program"), None);
    assert_eq!(find("/etc/passwd"), None);
}
