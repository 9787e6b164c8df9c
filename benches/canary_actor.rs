//! A canary actor over the embedded cluster, all on one thread under a paused clock: from a change in the cluster, through watch,
//! cache and bell, to the end of the step that it causes. What is measured is work, as waiting takes no time.

use actix::System;
use actors::{election::Claim, outbound, world::World};
use aviary::{
    controller::{Controller, Parts, Prepared},
    sandbox::{Sandbox, Settings as Cluster},
};
use criterion::{Criterion, criterion_group, criterion_main};
use engine::{
    Settings,
    model::{answer, vector},
};
use jiff::Timestamp;
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// Looks at the actor before the bench gives up: an initialisation takes some tens.
const LOOKS_MAX: usize = 10_000;

struct House {
    sandbox: Sandbox,
    controller: Controller,
}

async fn build() -> House {
    let world = World::single(Timestamp::UNIX_EPOCH, 1);
    let clock = world.clone();
    let sandbox = Sandbox::new(
        Arc::new(move || clock.now()),
        Arc::new(|task| drop(tokio::task::spawn_local(task))),
        Cluster::default(),
    );
    let parts = Parts {
        world,
        places: sandbox.client().into(),
        outbound: outbound::scripted(|_| (Duration::ZERO, Ok(answer(200, &vector("100"))))),
        settings: Settings::default(),
        namespace: None,
        claim: Claim::always(),
        step: engine::step::step,
    };
    for manifest in manifests() {
        sandbox.create(manifest).expect("it is created");
    }
    let prepared = Prepared::start(parts).await.expect("it starts");
    prepared.ready().await;
    let house = House {
        controller: prepared.act(),
        sandbox,
    };
    house
        .wait_for(|shown| shown.phase == crds::Phase::Initialized && shown.verb == "idle")
        .await;
    house
}

fn manifests() -> [serde_json::Value; 2] {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app", "namespace": "default"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "app"}},
            "template": {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}},
        },
    });
    let canary = json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "app", "namespace": "default"},
        "spec": {
            "provider": "kubernetes",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
            "service": {"port": 80},
            "analysis": {"interval": "10s", "threshold": 1, "iterations": 1},
        },
    });
    [deployment, canary]
}

// === impl House ===

impl House {
    async fn steps(&self) -> u64 {
        let shown = self.controller.observe().await;
        shown.first().map_or(0, |shown| shown.steps)
    }

    async fn wait_for(&self, enough: impl Fn(&actors::canary::Snapshot) -> bool) {
        for _ in 0..LOOKS_MAX {
            if self.controller.observe().await.iter().any(&enough) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it does not come to rest: {:#?}", self.controller.observe().await);
    }

    /// Change something that the canary has looked at, and wait for the step that follows.
    async fn disturb(&self, count: u64) {
        let before = self.steps().await;
        let mark = json!({"metadata": {"annotations": {"bench": count.to_string()}}});
        self.sandbox
            .patch("canaries.flagger.app", "default", "app", &mark)
            .expect("it is patched");
        self.wait_for(|shown| shown.steps > before && !shown.stepping).await;
    }
}

fn looks(criterion: &mut Criterion) {
    let system = System::with_tokio_rt(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().expect("a runtime")
    });
    let house = system.block_on(build());
    let mut count = 0;
    criterion.bench_function("canary_actor/change_to_rest", |bencher| {
        bencher.iter(|| {
            count += 1;
            system.block_on(house.disturb(count));
        });
    });
}

criterion_group!(benches, looks);
criterion_main!(benches);
