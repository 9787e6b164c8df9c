use super::{Exported, exported};

#[test]
fn the_last_checks_are_read_from_what_the_controller_exports() {
    let metrics = "\
# TYPE flagger_canary_metric_analysis gauge
flagger_canary_metric_analysis{metric=\"request-duration\",name=\"bad\",namespace=\"demo\"} 0.0051
flagger_canary_metric_analysis{metric=\"request-success-rate\",name=\"good\",namespace=\"demo\"} 99.5
flagger_canary_weight{name=\"good\",namespace=\"demo\",workload=\"good\"} 10
";
    let one = |canary: &str, metric: &str, value: f64| Exported {
        canary: canary.to_owned(),
        metric: metric.to_owned(),
        value,
    };
    let found = exported(metrics);
    assert_eq!(found.len(), 2);
    assert_eq!(found[1], one("good", "request-success-rate", 99.5));
    assert_eq!(
        (found[0].canary.as_str(), found[0].metric.as_str()),
        ("bad", "request-duration")
    );
    assert!((found[0].value - 5.1).abs() < 1e-9, "milliseconds");
}
