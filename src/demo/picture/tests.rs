use super::{FRAMES_MAX, Picture};
use crate::demo::screen::tests::frame;

#[test]
fn moments_are_kept_when_something_turned_or_after_a_while() {
    let mut picture = Picture::new(3.0);
    for (at, weight) in [(1.0, 10), (2.0, 10), (3.0, 20), (4.0, 20), (5.0, 0), (7.9, 0), (8.0, 0)] {
        picture.see(&frame(at, weight));
    }
    let kept: Vec<f64> = picture.frames.iter().map(|frame| frame.at).collect();
    assert_eq!(kept, [1.0, 3.0, 5.0, 8.0]);
    for at in 0..500 {
        picture.see(&frame(f64::from(at), i64::from(at % 2)));
    }
    assert_eq!(picture.frames.len(), FRAMES_MAX);
}

#[test]
fn the_picture_shows_the_end_first_and_plays_each_moment_for_as_long_as_it_lasted() {
    let mut picture = Picture::new(60.0);
    for (at, weight) in [(0.0, 10), (18.0, 20)] {
        picture.see(&frame(at, weight));
    }
    let svg = picture.svg(&frame(36.0, 0));
    // 36 s at three times the speed and 6 s of the end are 18 s: turns after 0, 6 and 12 of them.
    for part in [
        "0.00%{transform:translateY(-",
        "33.33%{transform:translateY(-",
        "66.67%,100%{transform:none}",
        "roll 18.0s",
    ] {
        assert!(svg.contains(part), "{part}: {svg}");
    }
    assert!(svg.find(">0 %<").unwrap() < svg.find(">10 %<").unwrap());
    assert!(svg.contains("a &lt;plot&gt;") && !svg.contains("<plot>"));
    assert_eq!(svg.matches("<text ").count(), svg.matches("</text>").count());
}
