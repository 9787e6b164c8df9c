//! The mind alone: one step of a canary at rest, one of a canary that advances, and a whole run on the model cluster.

use crds::Phase;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use engine::{
    model::{Model, answer, vector},
    objects::kinds,
};
use serde_json::{Value, json};
use std::hint::black_box;

/// More steps than a run of 5 weights takes.
const ROUNDS_MAX: usize = 200;

/// A canary in steps of 10 up to 50 for one Deployment, initialised and at rest.
fn at_rest() -> Model {
    let canary = json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
        "metadata": {"name": "app", "namespace": "bench", "uid": "c0ffee", "generation": 1},
        "spec": {
            "provider": "gatewayapi:v1",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
            "service": {"port": 9898, "gatewayRefs": [{"name": "gw", "namespace": "default"}]},
            "analysis": {
                "interval": "10s", "threshold": 3, "stepWeight": 10, "maxWeight": 50,
                "metrics": [{"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}}],
            },
        },
    });
    let target = kinds::DEPLOYMENT.named("bench", "app");
    let start = "2026-01-01T00:00:00Z".parse().expect("a time");
    let mut model = Model::new(start, &canary, [(target, deployment("app:1"))]);
    assert!(model.run_until(&[Phase::Initialized], ROUNDS_MAX), "it initialises");
    model
}

fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "app", "namespace": "bench", "generation": 1},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "app"}},
            "template": {
                "metadata": {"labels": {"app": "app"}},
                "spec": {"containers": [{"name": "app", "image": image, "ports": [{"name": "http", "containerPort": 9898}]}]},
            },
        },
    })
}

fn release(model: &mut Model) {
    let target = kinds::DEPLOYMENT.named("bench", "app");
    let template = deployment("app:2")["spec"]["template"].clone();
    model.edit(&target, &json!({"spec": {"template": template}}));
    model.queries = Box::new(|_, _| Ok(answer(200, &vector("100"))));
}

/// In a run, pods ready, the next check due.
fn due() -> Model {
    let mut model = at_rest();
    release(&mut model);
    assert!(model.run_until(&[Phase::Progressing], ROUNDS_MAX), "it starts");
    model.settle();
    model.wait(10);
    model
}

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine_step");
    let idle = at_rest();
    group.bench_function("idle", |bencher| {
        bencher.iter_batched_ref(|| idle.fork(), |model| black_box(model.step()), BatchSize::SmallInput);
    });
    let advancing = due();
    group.bench_function("advance", |bencher| {
        bencher.iter_batched_ref(
            || advancing.fork(),
            |model| black_box(model.step()),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("run", |bencher| {
        bencher.iter_batched_ref(
            || {
                let mut model = idle.fork();
                release(&mut model);
                model
            },
            |model| assert!(model.run_until(&[Phase::Succeeded], ROUNDS_MAX)),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
