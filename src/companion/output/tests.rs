use super::*;

#[test]
fn short_output_is_kept_whole() {
    let output = Output::default();
    output.say("one\n");
    output.push(b"two \xff\n");
    assert_eq!(output.text(), "one\ntwo \u{fffd}\n");
}

#[test]
fn long_output_keeps_its_ends_and_is_bounded() {
    for piece in [1, 1000, 1_000_000] {
        let output = Output::default();
        output.say("begin");
        let chunk = vec![b'x'; piece];
        for _ in 0..(3_000_000 / piece).min(400_000) {
            output.push(&chunk);
        }
        output.say("end");
        let text = output.text();
        assert!(text.starts_with("begin") && text.ends_with("end"), "{piece}");
        assert!(text.contains("bytes left out"), "{piece}");
        assert!(text.len() < HEAD_BYTES + TAIL_BYTES + 100, "{piece}: {}", text.len());
    }
}

#[test]
fn nothing_is_left_out_silently() {
    let output = Output::default();
    output.push(&vec![b'a'; HEAD_BYTES + TAIL_BYTES]);
    assert_eq!(output.text().len(), HEAD_BYTES + TAIL_BYTES);
    output.push(&[b'b'; 7]);
    assert!(output.text().contains("\n... 7 bytes left out ...\n"));
}

#[test]
fn last_lines_are_the_last() {
    assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
    assert_eq!(last_lines("a", 5), "a");
    assert_eq!(last_lines("", 5), "");
}
