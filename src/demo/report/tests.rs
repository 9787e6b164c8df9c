use super::{Ending, Report, Share};

fn good() -> Ending {
    let shares = [(0, 500, 0), (10, 360, 40), (20, 320, 80), (0, 300, 0)];
    Ending {
        name: "good".into(),
        expected_phase: "Succeeded".into(),
        phases: ["Initialized", "Progressing", "Succeeded"].map(String::from).into(),
        weights: vec![0, 10, 20, 0],
        shares: shares
            .map(|(weight, primary, canary)| Share::new(weight, primary, canary))
            .into(),
        expected_image: "good:2".into(),
        primary_image: "good:2".into(),
        servers: Vec::new(),
        lost: 0,
    }
}

fn problems(spoil: impl FnOnce(&mut Ending)) -> Vec<String> {
    let mut ending = good();
    spoil(&mut ending);
    let report = Report::new(4.0, 60.0, vec![ending]);
    assert_eq!(report.passed, report.problems.is_empty());
    report.problems
}

#[test]
fn an_ending_as_told_passes() {
    assert_eq!(problems(|_| {}), Vec::<String>::new());
    assert_eq!(
        problems(|ending| ending.shares[1] = Share::new(10, 851, 149)),
        Vec::<String>::new()
    );
    assert_eq!(
        problems(|ending| ending.shares[1] = Share::new(10, 19, 1)),
        Vec::<String>::new()
    );
}

#[test]
fn everything_that_is_not_as_it_should_be_is_said() {
    type Spoil = fn(&mut Ending);
    let table: [(Spoil, &str); 9] = [
        (
            |ending| ending.phases.push("Failed".into()),
            "good ended in Failed, not in Succeeded",
        ),
        (
            |ending| ending.phases.clear(),
            "good ended in no phase, not in Succeeded",
        ),
        (
            |ending| ending.primary_image = "good:1".into(),
            "the primary of good runs good:1, not good:2",
        ),
        (
            |ending| ending.shares[1] = Share::new(10, 849, 151),
            "good at weight 10: the canary got 15.1 % of the requests",
        ),
        (
            |ending| ending.shares[1] = Share::new(10, 951, 49),
            "good at weight 10: the canary got 4.9 % of the requests",
        ),
        (
            |ending| ending.shares[2] = Share::new(20, 15, 4),
            "good at weight 20: 19 requests are too few to measure a share",
        ),
        (
            |ending| ending.shares[0] = Share::new(0, 0, 0),
            "good at weight 0: 0 requests are too few to measure a share",
        ),
        (
            |ending| {
                ending.shares.pop();
            },
            "good had the weights [0, 10, 20, 0], measured were [0, 10, 20]",
        ),
        (
            |ending| {
                ending.weights.pop();
                ending.shares.pop();
            },
            "good does not end with all traffic on its primary",
        ),
    ];
    for (spoil, text) in table {
        assert_eq!(problems(spoil), [text]);
    }
    let idle = problems(|ending| {
        ending.weights = vec![0];
        ending.shares.truncate(1);
    });
    assert_eq!(idle, ["the new version of good never had traffic"]);
}

#[test]
fn a_run_that_did_not_come_to_its_end_does_not_pass() {
    let mut report = Report::new(4.0, 60.0, vec![good()]);
    report.add("no end within 4m".into());
    assert!(!report.passed);
    assert_eq!(report.problems, ["no end within 4m"]);
}

#[test]
fn the_file_has_what_it_promises() {
    let text = serde_json::to_value(Report::new(4.0, 60.5, vec![good()])).unwrap();
    assert_eq!(text["passed"], true);
    assert_eq!(text["intervalSeconds"], 4.0);
    let canary = &text["canaries"][0];
    assert_eq!(canary["primaryImage"], "good:2");
    assert_eq!(canary["weights"][1], 10);
    assert_eq!(canary["phases"][2], "Succeeded");
    assert_eq!(canary["shares"][2]["measured"], 20.0);
}
