//! Tests.
#[test]
fn show() {
    println!("{}", super::yaml());
}
