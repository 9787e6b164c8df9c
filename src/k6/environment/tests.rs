use super::*;

#[test]
fn scripts_see_the_testers_environment_less_what_is_its_own() {
    let ours = [
        ("HOME", "/home/app"),
        ("TARGET", "ours"),
        ("K6_NO_USAGE_REPORT", "true"),
        ("SLACK_TOKEN", "s"),
        ("K6_CLOUD_TOKEN", "c"),
        ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
        ("KUBERNETES_PORT_443_TCP", "x"),
        ("KUBERNETES_CLIENT", "in-cluster"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"),
    ];
    let ours = ours.into_iter().map(|(name, value)| (name.into(), value.into()));
    let variables = BTreeMap::from([
        ("TARGET".to_owned(), "hook".to_owned()),
        ("BOTH".to_owned(), "hook".to_owned()),
    ]);
    let secrets = BTreeMap::from([("BOTH".to_owned(), "secret".to_owned())]);
    let seen = environment(ours, &variables, secrets.iter());
    let seen: Vec<(&str, &str)> = seen
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("BOTH", "secret"),
            ("HOME", "/home/app"),
            ("K6_NO_USAGE_REPORT", "true"),
            ("TARGET", "hook")
        ],
        "later sources win"
    );
}
