use super::*;

fn name(switch: Switch, name: &str) -> Name {
    Name {
        switch,
        namespace: "shop".into(),
        canary: name.into(),
    }
}

fn change(name: &Name, open: bool, checksum: &str) -> Change {
    Change {
        name: name.clone(),
        open,
        checksum: checksum.into(),
        once: false,
        lasting: None,
        by: "10.0.0.1".into(),
    }
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + secs).unwrap()
}

#[test]
fn a_gate_is_closed_until_it_is_opened_and_stays_open() {
    let mut book = Book::default();
    let gate = name(Switch::Gate, "checkout");
    assert!(!book.is_open(&gate, "one", at(0)));
    book.change(&change(&gate, true, ""), at(0));
    for checksum in ["one", "two", ""] {
        assert!(
            book.is_open(&gate, checksum, at(1_000_000)),
            "the peer's way: for every release"
        );
    }
    assert!(!book.is_open(&name(Switch::Rollback, "checkout"), "one", at(0)));
    book.change(&change(&gate, false, ""), at(1));
    assert!(!book.is_open(&gate, "one", at(1)));
}

#[test]
fn an_approval_can_be_for_one_revision() {
    let mut book = Book::default();
    let gate = name(Switch::Gate, "checkout");
    book.change(&change(&gate, true, "one"), at(0));
    for (checksum, open) in [("one", true), ("two", false), ("", false)] {
        assert_eq!(book.is_open(&gate, checksum, at(0)), open, "{checksum}");
    }
}

#[test]
fn an_approval_can_be_for_the_first_that_asks() {
    let mut book = Book::default();
    let gate = name(Switch::Gate, "checkout");
    let once = Change {
        once: true,
        ..change(&gate, true, "")
    };
    book.change(&once, at(0));
    assert!(book.is_open(&gate, "", at(1)), "a look uses nothing up");
    let asked = [
        ("one", true, true),
        ("one", true, false),
        ("two", false, false),
        ("one", true, false),
    ];
    for (checksum, open, is_used) in asked {
        assert_eq!(book.pass(&gate, checksum, at(1)), (open, is_used), "{checksum}");
    }
    assert_eq!(Book::read(&book.write()).unwrap(), book, "it is known after a restart");
    book.change(&once, at(2));
    assert_eq!(book.pass(&gate, "", at(2)), (true, true), "nothing to know it by");
    assert_eq!(book.pass(&gate, "", at(2)), (false, false));
    // One that is open for all stays so: the peer's way.
    book.change(&change(&gate, true, ""), at(3));
    for checksum in ["one", "two", ""] {
        assert_eq!(book.pass(&gate, checksum, at(3)), (true, false), "{checksum}");
    }
}

#[test]
fn an_approval_can_end_by_itself() {
    let mut book = Book::default();
    let gate = name(Switch::Gate, "checkout");
    let mut hour = change(&gate, true, "");
    hour.lasting = Some(Duration::from_hours(1));
    book.change(&hour, at(0));
    assert!(book.is_open(&gate, "", at(3599)));
    assert!(!book.is_open(&gate, "", at(3600)));
}

#[test]
fn names_do_not_collide() {
    let mut book = Book::default();
    book.change(&change(&name(Switch::Gate, "rollback.checkout"), true, ""), at(0));
    assert!(!book.is_open(&name(Switch::Rollback, "checkout"), "", at(0)));
    let dotted = Name {
        switch: Switch::Gate,
        namespace: "b.c".into(),
        canary: "a".into(),
    };
    book.change(&change(&dotted, true, ""), at(0));
    let other = Name {
        switch: Switch::Gate,
        namespace: "c".into(),
        canary: "a.b".into(),
    };
    assert!(!book.is_open(&other, "", at(0)));
}

#[test]
fn what_is_written_is_read() {
    let mut book = Book::default();
    let mut hour = change(&name(Switch::Gate, "checkout"), true, "one");
    hour.lasting = Some(Duration::from_hours(1));
    book.change(&hour, at(0));
    book.change(&change(&name(Switch::Rollback, "checkout"), false, ""), at(1));
    assert_eq!(Book::read(&book.write()).unwrap(), book);
    assert!(Book::read("{").is_err());
}

#[test]
fn there_are_never_too_many() {
    let mut book = Book::default();
    let kept = name(Switch::Gate, "open");
    book.change(&change(&kept, true, ""), at(0));
    for number in 0..GATES_MAX + 10 {
        book.change(&change(&name(Switch::Gate, &number.to_string()), false, ""), at(1));
    }
    assert_eq!(book.0.len(), GATES_MAX);
    assert!(
        book.is_open(&kept, "", at(2)),
        "closed ones go first: they are closed anyway"
    );
    assert!(book.write().len() < 1024 * 1024, "{}", book.write().len());
}
