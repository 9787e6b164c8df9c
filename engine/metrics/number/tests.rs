use super::{duration, shortest};

#[test]
fn floats_are_printed_as_go_prints_them() {
    let cases = [
        (99.0, "99"),
        (0.5, "0.5"),
        (0.0, "0"),
        (-1.5, "-1.5"),
        (100_000.0, "100000"),
        (999_999.5, "999999.5"),
        (1e6, "1e+06"),
        (1_234_567.0, "1.234567e+06"),
        (1e21, "1e+21"),
        (0.0001, "0.0001"),
        (0.000_01, "1e-05"),
        (1.5e-7, "1.5e-07"),
        (1e100, "1e+100"),
    ];
    for (value, text) in cases {
        assert_eq!(shortest(value), text);
    }
}

#[test]
fn durations_are_printed_as_go_prints_them() {
    let cases = [
        (0, "0s"),
        (1, "1ms"),
        (500, "500ms"),
        (-5, "-5ms"),
        (1000, "1s"),
        (1515, "1.515s"),
        (1500, "1.5s"),
        (10_000, "10s"),
        (60_000, "1m0s"),
        (61_500, "1m1.5s"),
        (3_600_000, "1h0m0s"),
    ];
    for (milliseconds, text) in cases {
        assert_eq!(duration(milliseconds), text);
    }
}
