use super::*;

#[test]
fn known_values_are_hidden() {
    let variables = [
        ("SLACK_TOKEN", "xoxb-1234567"),
        ("HOME", "/home/app"),
        ("AWS_TOKEN_FILE", "/var/run/token"),
    ];
    let redaction = Redaction::of_variables(variables.into_iter().map(|(n, v)| (n.into(), v.into())));
    let redaction = redaction.with(["s3cret-value\nsecond line here", "ab"]);
    let text = redaction.clean("a xoxb-1234567 b s3cret-value c second line here ab /home/app /var/run/token");
    assert_eq!(text, "a *** b *** c *** ab /home/app /var/run/token");
}

#[test]
fn a_secret_inside_another_one_does_not_leave_a_rest() {
    let redaction = Redaction::default().with(["secret", "secret-and-more"]);
    assert_eq!(redaction.clean("secret-and-more"), "***");
}

#[test]
fn credentials_in_commands_are_hidden() {
    let redaction = Redaction::default();
    for (text, clean) in [
        ("hey http://user:pw@host/x", "hey http://***@host/x"),
        ("hey http://host/a@b", "hey http://host/a@b"),
        (
            "curl -H 'Authorization: Bearer abc' http://h/",
            "curl -H 'Authorization: ***' http://h/",
        ),
        ("authorization: x\nnext", "authorization: ***\nnext"),
        ("Cookie:", "Cookie:"),
        ("a://b://c:d@e", "a://b://***@e"),
        ("nothing", "nothing"),
    ] {
        assert_eq!(redaction.clean(text), clean, "{text}");
    }
}

#[test]
fn odd_letters_do_no_harm() {
    let text = "İ Authorization: İx\" ://ü@ß ß";
    assert_eq!(Redaction::default().clean(text), "İ Authorization: ***\" ://***@ß ß");
}
