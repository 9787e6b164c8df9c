use super::parse;
use proptest::prelude::*;

#[test]
fn quantities_are_read() {
    let cases = [
        ("0", Some(0.0)),
        ("2500m", Some(2.5)),
        ("1111m", Some(1.111)),
        ("1500u", Some(0.0015)),
        ("5n", Some(5e-9)),
        ("1k", Some(1e3)),
        ("1.5Gi", Some(1_610_612_736.0)),
        ("1Ki", Some(1024.0)),
        ("12e6", Some(12e6)),
        ("12E-2", Some(0.12)),
        ("1E", Some(1e18)),
        ("-3", Some(-3.0)),
        ("+.5", Some(0.5)),
        ("", None),
        ("m", None),
        ("1x", None),
        ("1 ", None),
        ("1e", None),
        ("1e99999", None),
        ("1.2.3", None),
        ("NaN", None),
        ("inf", None),
    ];
    for (text, expected) in cases {
        let found = parse(text);
        let same = match (found, expected) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * b.abs(),
            (a, b) => a == b,
        };
        assert!(same, "{text}: {found:?}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in "\\PC{0,20}") {
        if let Some(value) = parse(&text) {
            prop_assert!(value.is_finite());
            prop_assert!(text.contains(|c: char| c.is_ascii_digit()));
        }
    }
}
