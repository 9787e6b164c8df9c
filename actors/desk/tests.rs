use super::*;

fn death(life: u64) -> Death {
    Death {
        life,
        cause: "boom".into(),
    }
}

fn end(desk: &Desk, life: u64) {
    let mut obituary = desk.obituary("test/app", life);
    obituary.because("boom".into());
}

#[test]
fn news_of_one_canary_are_kept_apart_by_what_they_say() {
    let desk = Desk::default();
    desk.appeared("test/app");
    end(&desk, 1);
    desk.gone("test/app");
    desk.appeared("test/app");
    let expected = News {
        exists: Some(true),
        died: Some(death(1)),
    };
    assert_eq!(desk.take(), BTreeMap::from([("test/app".into(), expected)]));
    assert!(desk.take().is_empty());
}

#[test]
fn the_end_of_an_older_actor_does_not_hide_that_of_a_newer_one() {
    let desk = Desk::default();
    for (ends, told) in [([1, 2], 2), ([2, 1], 2)] {
        for life in ends {
            end(&desk, life);
        }
        assert_eq!(desk.take()["test/app"].died, Some(death(told)), "{ends:?}");
    }
}

#[test]
fn an_actor_that_was_told_to_end_is_no_news() {
    let desk = Desk::default();
    desk.obituary("test/app", 1).disarm();
    assert!(desk.take().is_empty());
}
