use super::*;
use engine::seam::Ending;
use serde_json::json;

#[test]
fn what_is_kept_comes_back_as_it_was_and_in_order() {
    let object = Arc::new(json!({"metadata": {"name": "a"}, "spec": {"rate": 0.1, "big": 9_007_199_254_740_993_u64}}));
    let outcomes = vec![
        Outcome::Wrote(Ok(object.clone())),
        Outcome::Wrote(Err(Trouble::Skipped)),
        Outcome::Read(Ok(None)),
        Outcome::Read(Ok(Some(object))),
        Outcome::Ended(Ending::Promoted),
    ];
    let mut evidence = Evidence::default();
    evidence.add(outcomes.clone());
    assert_eq!(evidence.open(), outcomes);
}
