//! The whole demo under a paused clock.

use super::{SEED, interval, play, timeline::bar};
use actors::world::World;
use jiff::Timestamp;
use std::time::Duration;

fn played() -> String {
    let system = actix::System::with_tokio_rt(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    });
    let mut out = Vec::new();
    system.block_on(async {
        let world = World::single(Timestamp::UNIX_EPOCH, SEED);
        play(&world, Duration::from_secs(1), &mut out).await.unwrap();
    });
    String::from_utf8(out).unwrap()
}

#[test]
fn both_releases_end_as_told_and_every_step_is_shown() {
    let text = played();
    for weight in ["10%", "20%", "30%", "40%", "50%"] {
        assert!(
            text.contains(&format!(
                "% Advance good.demo canary weight {}",
                weight.trim_end_matches('%')
            )),
            "{text}"
        );
    }
    assert!(
        text.contains("Halt bad.demo advancement success rate 95.00% < 99%"),
        "{text}"
    );
    assert!(
        text.contains("good  Succeeded     100 % of the traffic is served by example.com/good:2.0.0"),
        "{text}"
    );
    assert!(
        text.contains("bad   Failed        100 % of the traffic is served by example.com/bad:1.0.0"),
        "{text}"
    );
}

#[test]
fn two_runs_print_the_same() {
    assert_eq!(played(), played());
}

#[test]
fn bars_show_the_share() {
    let table = [
        (0, "[----------]   0%"),
        (4, "[----------]   4%"),
        (40, "[####------]  40%"),
        (100, "[##########] 100%"),
    ];
    for (weight, text) in table {
        assert_eq!(bar(weight), text);
    }
}

#[test]
fn intervals_are_go_durations_that_a_machine_can_keep() {
    assert_eq!(interval("500ms"), Ok(Duration::from_millis(500)));
    assert!(interval("1ms").is_err());
    assert!(interval("soon").unwrap_err().contains("500ms"));
}
