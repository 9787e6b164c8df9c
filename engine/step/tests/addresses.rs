//! Pods that are ready and addresses that are not published yet: nobody is sent there.

use serde_json::json;

use super::fixture::*;
use crate::{
    ObjectRef,
    model::{End, Model, answer, vector},
    objects::kinds,
    seam::Trouble,
};
use crds::Phase;

/// What the API server knows of the addresses of any Service.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    None,
    Some,
    Forbidden,
    Busy,
}

/// From now on the API server knows this of the addresses of any Service; metrics are good.
fn addresses(model: &mut Model, told: Told) {
    model.queries = Box::new(move |_, request| {
        if !request.url.contains("/endpointslices?") {
            let value = if request.url.contains("quantile") { "0.2" } else { "100" };
            return Ok(answer(200, &vector(value)));
        }
        let endpoint = json!({"addresses": ["10.0.0.1"], "conditions": {"ready": true}});
        match told {
            Told::None => Ok(answer(200, &json!({"items": []}).to_string())),
            Told::Some => Ok(answer(200, &json!({"items": [{"endpoints": [endpoint]}]}).to_string())),
            Told::Forbidden => Ok(answer(403, "{}")),
            Told::Busy => Err(Trouble::Unavailable("no answer".into())),
        }
    });
}

fn apex_at() -> ObjectRef {
    kinds::SERVICE.named(NAMESPACE, "app")
}

/// A new canary whose primary has just got its pods.
fn ready(told: Told) -> Model {
    let mut model = model(&json!({}), "100", "0.2");
    addresses(&mut model, told);
    model.settle();
    while model.get(&primary_at()).is_none() {
        model.step();
    }
    model.settle();
    model.step();
    model
}

/// The pods of this workload break, or are well again.
fn set_broken(model: &mut Model, at: &ObjectRef, breaks: bool) {
    let broken = if breaks { json!("true") } else { json!(null) };
    model.edit(at, &json!({"metadata": {"annotations": {"lab/broken": broken}}}));
    model.settle();
}

fn split(model: &Model) -> Vec<i64> {
    let route = model.get(&route_at()).expect("it is there");
    let backends = route["spec"]["rules"][0]["backendRefs"]
        .as_array()
        .expect("it has some");
    backends
        .iter()
        .filter_map(|backend| backend["weight"].as_i64())
        .collect()
}

fn warnings(model: &Model) -> usize {
    let told = model.events.iter();
    told.filter(|event| event.message.contains("no ready address")).count()
}

#[test]
fn a_new_primary_waits_for_its_addresses() {
    for late in [Told::None, Told::Busy] {
        let mut model = ready(late);
        assert_eq!(model.phase(), Phase::Initializing, "{late:?}");
        assert_eq!((model.get(&apex_at()), model.get(&route_at())), (None, None));
        assert_eq!(replicas(&model, &target_at()), 1, "the target serves");
        let decision = model.decisions.last().cloned().unwrap_or_default();
        assert!(
            decision.contains("app-primary.test has no ready address yet"),
            "{decision}"
        );
        addresses(&mut model, Told::Some);
        model.wait(1);
        model.step();
        assert_eq!(model.phase(), Phase::Initialized, "looked again after a second");
        assert_eq!(warnings(&model), 0);
        assert_clean(&model);
    }
}

#[test]
fn whoever_cannot_be_asked_holds_up_nothing() {
    for told in [Told::Some, Told::Forbidden] {
        assert_eq!(ready(told).phase(), Phase::Initialized, "{told:?}");
    }
}

/// As where nobody publishes any.
#[test]
fn addresses_that_never_come_are_waited_for_half_a_minute() {
    let mut model = ready(Told::None);
    let start = model.now;
    let mut questions = 0;
    while model.phase() != Phase::Initialized {
        questions += 1;
        assert!(questions < 10, "{:#?}", model.decisions);
        wake(&mut model);
    }
    let took = model.now.duration_since(start).as_secs();
    assert!((20..=30).contains(&took), "{took} s");
    assert_eq!(warnings(&model), 1);
}

/// Wait as long as the last step asked for, and make the next.
fn wake(model: &mut Model) {
    let End::Done(done) = model.step() else { return };
    let pause = done.wake.map_or(1, |wake| wake.duration_since(model.now).as_secs());
    if model.phase() != Phase::Initialized {
        model.wait(pause.max(1));
    }
}

/// Its pods came late in the interval: it waits a little for its addresses. Pods that are there for longer are not asked for.
#[test]
fn a_canary_whose_pods_have_just_come_waits_too() {
    let mut model = released(&json!({}));
    addresses(&mut model, Told::None);
    assert!(model.run_until(&[Phase::Progressing], 10));
    set_broken(&mut model, &target_at(), true);
    model.wait(9);
    set_broken(&mut model, &target_at(), false);
    model.wait(2);
    model.step();
    assert_eq!(split(&model), [100, 0], "{:#?}", model.decisions);
    addresses(&mut model, Told::Some);
    model.wait(1);
    model.step();
    assert_eq!(split(&model), [80, 20], "{:#?}", model.decisions);
    assert_clean(&model);
}

#[test]
fn a_primary_that_comes_back_waits_before_it_takes_the_users_back() {
    let mut model = released(&json!({}));
    finish(&mut model);
    // Somebody sends all users to the target and scales it up, and the primary has new pods.
    model.edit(&target_at(), &json!({"spec": {"replicas": 1}}));
    let mut route = (*model.get(&route_at()).expect("it is there")).clone();
    reweigh(&mut route, 100);
    model.put(route_at(), route);
    for broken in [true, false] {
        set_broken(&mut model, &primary_at(), broken);
    }
    addresses(&mut model, Told::None);
    model.step();
    assert_eq!(split(&model), [0, 100], "{:#?}", model.decisions);
    addresses(&mut model, Told::Some);
    model.wait(1);
    model.step();
    assert_eq!(split(&model), [100, 0]);
}
