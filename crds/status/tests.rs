//! The status as it is stored.

use super::*;
use serde_json::{Value, json};

#[test]
fn phases_are_written_as_they_are_read() {
    let phases = [
        "",
        "Initializing",
        "Initialized",
        "Waiting",
        "Progressing",
        "WaitingPromotion",
        "Promoting",
        "Finalising",
        "Succeeded",
        "Failed",
        "Terminating",
        "Terminated",
    ];
    for text in phases {
        let phase: Phase = serde_json::from_value(json!(text)).unwrap();
        assert_eq!(phase.as_str(), text);
        assert_eq!(json!(phase), text);
    }
    serde_json::from_value::<Phase>(json!("progressing")).unwrap_err();
}

#[test]
fn a_stored_status_round_trips() {
    let stored = json!({
        "phase": "Succeeded",
        "failedChecks": 0,
        "canaryWeight": 0,
        "iterations": -1,
        "trackedConfigs": {},
        "lastAppliedSpec": "5f79c5d5b",
        "lastPromotedSpec": "5f79c5d5b",
        "lastTransitionTime": "2019-07-10T08:23:18Z",
        "primarySessionAffinityCookie": "=LpsIaLdoNZ",
        "conditions": [{
            "type": "Promoted",
            "status": "True",
            "reason": "Succeeded",
            "message": "Canary analysis completed successfully, promotion finished.",
            "lastTransitionTime": "2019-07-10T08:23:18Z",
            "lastUpdateTime": "2019-07-10T08:23:18Z",
        }],
    });
    let read: CanaryStatus = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(json!(read), stored);
}

#[test]
fn an_empty_status_is_a_new_canary() {
    let read: CanaryStatus = serde_json::from_value(json!({})).unwrap();
    assert_eq!(read, CanaryStatus::default());
    let written: Value = json!(read);
    assert_eq!(
        written,
        json!({"phase": "", "failedChecks": 0, "canaryWeight": 0, "iterations": 0})
    );
}
