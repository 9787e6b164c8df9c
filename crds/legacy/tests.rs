//! Old forms are read as the new ones, and named.

use super::*;

fn paths(found: &[Translation]) -> Vec<(&str, &str)> {
    found.iter().map(|it| (it.path.as_str(), it.instead.as_str())).collect()
}

#[test]
fn each_old_form_is_moved_and_named() {
    let cases = [
        (
            json!({"apiVersion": "flagger.app/v1alpha3", "spec": {"canaryAnalysis": {"interval": "1m"}}}),
            json!({"apiVersion": "flagger.app/v1beta1", "spec": {"analysis": {"interval": "1m"}}}),
            vec![
                ("apiVersion", "apiVersion: flagger.app/v1beta1"),
                ("spec.canaryAnalysis", "spec.analysis"),
            ],
        ),
        (
            json!({"spec": {"analysis": {"promotion": {"maxWeight": 50, "stepWeight": 20}}}}),
            json!({"spec": {"analysis": {"maxWeight": 50, "stepWeight": 20}}}),
            vec![(
                "spec.analysis.promotion",
                "spec.analysis.maxWeight, spec.analysis.stepWeight",
            )],
        ),
        (
            json!({"spec": {"analysis": {"promotion": {"stepWeights": [1, 2, 10, 80]}}}}),
            json!({"spec": {"analysis": {"stepWeights": [1, 2, 10, 80]}}}),
            vec![("spec.analysis.promotion", "spec.analysis.stepWeights")],
        ),
        (
            json!({"spec": {"analysis": {"promotion": {}}}}),
            json!({"spec": {"analysis": {}}}),
            vec![("spec.analysis.promotion", "spec.analysis")],
        ),
        (
            json!({"spec": {"canaryAnalysis": {"skipAnalysis": true, "promotion": {"stepWeight": 5}}}}),
            json!({"spec": {"analysis": {"stepWeight": 5}, "skipAnalysis": true}}),
            vec![
                ("spec.canaryAnalysis", "spec.analysis"),
                ("spec.analysis.promotion", "spec.analysis.stepWeight"),
                ("spec.analysis.skipAnalysis", "spec.skipAnalysis"),
            ],
        ),
    ];
    for (mut object, modern, expected) in cases {
        let found = modernise(&mut object);
        assert_eq!(object, modern);
        assert_eq!(paths(&found), expected);
        assert_eq!(modernise(&mut object), [], "a second pass finds nothing");
    }
}

#[test]
fn the_new_form_wins_and_null_is_absent() {
    let mut both = json!({"spec": {
        "skipAnalysis": false,
        "canaryAnalysis": {"stepWeight": 1},
        "analysis": {"stepWeight": 2, "skipAnalysis": true, "promotion": {"stepWeight": 3, "maxWeight": 40}},
    }});
    assert_eq!(modernise(&mut both).len(), 3);
    assert_eq!(
        both,
        json!({"spec": {"skipAnalysis": false, "analysis": {"stepWeight": 2, "maxWeight": 40}}})
    );

    let mut nulls = json!({"spec": {"analysis": null, "canaryAnalysis": {"promotion": null, "stepWeight": 4}}});
    assert_eq!(
        paths(&modernise(&mut nulls)),
        [("spec.canaryAnalysis", "spec.analysis")]
    );
    assert_eq!(nulls, json!({"spec": {"analysis": {"stepWeight": 4}}}));
}

#[test]
fn what_is_modern_or_no_object_is_left_alone() {
    let objects = [
        json!({"apiVersion": "flagger.app/v1beta1", "spec": {"analysis": {"stepWeight": 5}, "skipAnalysis": true}}),
        json!({"spec": 5}),
        json!([1]),
        json!(null),
    ];
    for object in objects {
        let mut seen = object.clone();
        assert_eq!(modernise(&mut seen), []);
        assert_eq!(seen, object);
    }
}
