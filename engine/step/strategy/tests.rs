use super::*;
use serde_json::{Value, json};

const MESH: Capabilities = Capabilities {
    weights: true,
    ab: true,
    mirror: true,
    ..Capabilities::NONE
};
const PLAIN: Capabilities = Capabilities::NONE;

fn analysis(value: Value) -> Analysis {
    serde_json::from_value(value).unwrap()
}

fn split(canary: i64) -> Split {
    Split::of(canary)
}

/// controller.md 4.7: one step of copies, then the shares.
#[test]
fn a_mirror_comes_before_the_first_share() {
    let spec = analysis(json!({"stepWeight": 10, "maxWeight": 20, "mirror": true}));
    let mirrored = Split::PRIMARY.mirrored();
    assert_eq!(next(&spec, MESH, Split::PRIMARY, 0), Move::Mirror);
    assert_eq!(next(&spec, MESH, mirrored, 0), Move::Shift { canary: 10 });
    assert_eq!(next(&spec, MESH, split(10), 0), Move::Shift { canary: 20 });
    assert_eq!(next(&spec, MESH, split(20), 0), Move::Promote);
    let unable = Capabilities { mirror: false, ..MESH };
    assert_eq!(next(&spec, unable, Split::PRIMARY, 0), Move::Shift { canary: 10 });
}

/// When the route has to mirror, whoever has changed it.
#[test]
fn a_mirror_belongs_to_some_moments() {
    let mirrored = |share: i64| Split::of(share).mirrored();
    let progressive = json!({"stepWeight": 10, "mirror": true});
    let rounds = json!({"iterations": 2, "mirror": true});
    for (spec, split, iterations, expected) in [
        (&progressive, mirrored(0), 0, true),
        (&progressive, Split::PRIMARY, 0, false),
        (&progressive, mirrored(10), 0, false),
        (&json!({"stepWeight": 10}), mirrored(0), 0, false),
        (&rounds, mirrored(0), 0, false),
        (&rounds, Split::PRIMARY, 1, true),
        (&rounds, Split::PRIMARY, 2, true),
        (&rounds, mirrored(0), 3, false),
        (&rounds, mirrored(100), 2, false),
    ] {
        assert_eq!(
            mirrors(&analysis(spec.clone()), MESH, split, iterations),
            expected,
            "{spec} {split:?} {iterations}"
        );
        assert!(!mirrors(&analysis(spec.clone()), PLAIN, split, iterations));
    }
}

/// Shares of a progressive run from 0 until it promotes.
fn shares(value: Value) -> Vec<i64> {
    let analysis = analysis(value);
    let mut shares = Vec::new();
    while let Move::Shift { canary } = next(&analysis, MESH, split(shares.last().copied().unwrap_or(0)), 0) {
        shares.push(canary);
        assert!(shares.len() <= 100, "no end: {shares:?}");
    }
    shares
}

#[test]
fn progressive_shares_are_the_documented_ones() {
    for (spec, expected) in [
        (json!({"stepWeight": 20, "maxWeight": 50}), vec![20, 40, 60]),
        (json!({"stepWeights": [1, 2, 10, 80]}), vec![1, 2, 10, 80]),
        (json!({"stepWeights": [1, 2, 10, 200]}), vec![1, 2, 10, 100]),
        (json!({"stepWeight": 100, "stepWeightPromotion": 50}), vec![100]),
        (json!({"stepWeight": 30}), vec![30, 60, 90, 100]),
        (json!({"stepWeight": 50, "maxWeight": 150}), vec![50, 100]),
        (
            json!({"stepWeight": 10, "maxWeight": 0}),
            (1..=10).map(|n| n * 10).collect(),
        ),
    ] {
        assert_eq!(shares(spec.clone()), expected, "{spec}");
    }
}

#[test]
fn a_share_outside_the_list_goes_to_the_next_larger_one() {
    let analysis = analysis(json!({"stepWeights": [10, 20, 30, 40]}));
    assert_eq!(next(&analysis, MESH, split(25), 0), Move::Shift { canary: 30 });
    assert_eq!(next(&analysis, MESH, split(55), 0), Move::Promote);
}

#[test]
fn every_progressive_run_ends_whatever_the_numbers_are() {
    for step in [-5, 0, 1, 7, 100, 1000] {
        for max in [-1, 0, 1, 50, 100, 101] {
            let shares = shares(json!({"stepWeight": step, "maxWeight": max}));
            assert!(
                shares.windows(2).all(|pair| pair[0] < pair[1]),
                "{step} {max} {shares:?}"
            );
            assert!(shares.iter().all(|share| (0..=100).contains(share)));
        }
    }
}

#[test]
fn blue_green_counts_switches_and_promotes() {
    let spec = analysis(json!({"iterations": 2}));
    let at = |iterations, canary| next(&spec, MESH, split(canary), iterations);
    assert_eq!(
        at(0, 0),
        Move::Iterate {
            iteration: 1,
            of: 2,
            split: None
        }
    );
    assert_eq!(
        at(1, 0),
        Move::Iterate {
            iteration: 2,
            of: 2,
            split: None
        }
    );
    assert_eq!(at(2, 0), Move::Switch { iteration: 3 });
    assert_eq!(at(3, 100), Move::Promote);
    assert_eq!(
        at(7, 0),
        Move::Switch { iteration: 3 },
        "lowered in the middle of a run: the switch is not skipped (W-21)"
    );
}

#[test]
fn without_weights_ten_rounds_are_made() {
    let spec = analysis(json!({"stepWeight": 5}));
    assert_eq!(
        next(&spec, PLAIN, split(0), 9),
        Move::Iterate {
            iteration: 10,
            of: 10,
            split: None
        }
    );
    assert_eq!(next(&spec, PLAIN, split(0), 10), Move::Switch { iteration: 11 });
    assert_eq!(next(&spec, PLAIN, split(0), 11), Move::Promote);
}

#[test]
fn ab_testing_routes_matched_requests_and_ends_when_lowered() {
    let spec = analysis(json!({"iterations": 2, "match": [{"headers": {"x": {"exact": "y"}}}]}));
    let all = Some(Split::CANARY);
    assert_eq!(
        next(&spec, MESH, split(0), 0),
        Move::Iterate {
            iteration: 1,
            of: 2,
            split: all
        }
    );
    assert_eq!(next(&spec, MESH, split(100), 2), Move::Promote);
    assert_eq!(next(&spec, MESH, split(100), 5), Move::Promote);
}
