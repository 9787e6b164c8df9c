use super::Element;
use proptest::prelude::*;

#[test]
fn elements_and_text_are_read() {
    let root = Element::parse(
        "<?xml version=\"1.0\"?>\n<!-- a > b --><a xmlns=\"x\"> <b>1 &lt; 2 &#x41;&#66;</b><c/><b>second</b></a> tail",
    )
    .unwrap();
    assert_eq!((root.name.as_str(), root.children.len()), ("a", 3));
    assert_eq!(root.at(&["b"]).unwrap().trimmed(), "1 < 2 AB");
    assert_eq!(root.child("c").unwrap().trimmed(), "");
    assert_eq!(root.at(&["b", "x"]), None);
}

#[test]
fn what_is_no_xml_is_refused() {
    let deep = "<a>".repeat(100);
    for text in [
        "",
        "text",
        "<a>",
        "<a></b>",
        "</a>",
        "<a>&unknown;</a>",
        "<a>&#xD800;</a>",
        "<",
        "<!--",
        "< >",
        &deep,
    ] {
        assert_eq!(Element::parse(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in "[<>/&;#!?a-c \\-\"\\[\\]=]{0,60}") {
        let _ = Element::parse(&text);
    }
}
