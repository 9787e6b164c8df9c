use super::*;
use crate::cluster::fake::Fake;
use jiff::Timestamp;
use tokio::{sync::oneshot, task::LocalSet, time::sleep};

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/system/leases/flagger-leader-election";

/// A running candidate.
struct Candidate {
    identity: String,
    claim: Claim,
    stop: Option<oneshot::Sender<()>>,
    ended: oneshot::Receiver<Ended>,
}

impl Candidate {
    fn start(fake: &Fake, world: &World, hostname: &str) -> Self {
        let (election, claim) = Election::new(world.clone(), fake.client(), "system", hostname);
        let identity = election.identity().to_owned();
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, ended) = oneshot::channel();
        world.spawn(async move {
            let stop = async { drop(stopped.await) };
            let _ = tell.send(election.run(stop).await);
        });
        Self {
            identity,
            claim,
            stop: Some(stop),
            ended,
        }
    }

    fn leads(&self) -> bool {
        self.claim.is_current(Instant::now())
    }
}

async fn simulate<F: Future<Output = ()>>(test: impl FnOnce(Fake, World) -> F) {
    let run = async {
        let epoch: Timestamp = "2026-11-21T11:00:00.25Z".parse().unwrap();
        test(Fake::default(), World::single(epoch, 3)).await;
    };
    LocalSet::new().run_until(run).await;
}

async fn seconds(count: u64) {
    sleep(Duration::from_secs(count)).await;
}

fn spec(fake: &Fake) -> Value {
    fake.object(PATH).unwrap()["spec"].clone()
}

/// A Lease that a Go Flagger holds.
fn foreign(fake: &Fake, renewed: &str) {
    let lease = json!({
        "metadata": {"name": LEASE_NAME, "namespace": "system", "annotations": {"by": "others"}},
        "spec": {"holderIdentity": "go_1", "leaseDurationSeconds": 60, "leaseTransitions": 4, "renewTime": renewed, "strategy": "x"},
    });
    fake.put(PATH, lease);
}

#[tokio::test(start_paused = true)]
async fn a_free_lease_is_made_and_kept() {
    simulate(|fake, world| async move {
        let one = Candidate::start(&fake, &world, "host");
        one.claim.acquired().await;
        let made = spec(&fake);
        assert_eq!(
            made,
            json!({
                "holderIdentity": one.identity, "leaseDurationSeconds": 60, "leaseTransitions": 0,
                "acquireTime": "2026-11-21T11:00:00.250000Z", "renewTime": "2026-11-21T11:00:00.250000Z",
            })
        );
        assert!(one.identity.starts_with("host_") && one.identity.len() == "host_".len() + 36);
        fake.log();
        seconds(3600).await;
        assert!(one.leads());
        assert!(
            fake.log().iter().all(|line| line.starts_with("PUT")),
            "one call per renewal"
        );
        assert_eq!(spec(&fake)["acquireTime"], made["acquireTime"]);
        assert_eq!(spec(&fake)["leaseTransitions"], 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_lease_is_taken_over_when_it_was_seen_unchanged_for_its_duration() {
    // Whatever its clock said: long past, or far in the future.
    for renewed in ["2020-01-01T00:00:00.000000Z", "2030-01-01T00:00:00.000000Z"] {
        simulate(|fake, world| async move {
            foreign(&fake, renewed);
            let one = Candidate::start(&fake, &world, "host");
            seconds(59).await;
            assert!(!one.leads());
            seconds(8).await;
            assert!(one.leads());
            let taken = fake.object(PATH).unwrap();
            assert_eq!(taken["spec"]["leaseTransitions"], 5);
            assert_eq!(
                (&taken["spec"]["strategy"], &taken["metadata"]["annotations"]["by"]),
                (&json!("x"), &json!("others"))
            );
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_living_lease_is_left_alone() {
    simulate(|fake, world| async move {
        foreign(&fake, "round 0");
        let one = Candidate::start(&fake, &world, "host");
        for round in 1..60 {
            seconds(55).await;
            assert!(!one.leads());
            foreign(&fake, &format!("round {round}"));
        }
        assert!(fake.log().iter().all(|line| line.starts_with("GET")));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_leader_hands_over_and_two_never_lead() {
    simulate(|fake, world| async move {
        let mut one = Candidate::start(&fake, &world, "one");
        one.claim.acquired().await;
        let two = Candidate::start(&fake, &world, "two");
        seconds(30).await;
        assert!(one.leads() && !two.leads());
        drop(one.stop.take());
        assert_eq!((&mut one.ended).await, Ok(Ended::Stopped));
        let released = spec(&fake);
        assert_eq!(
            (&released["holderIdentity"], &released["leaseDurationSeconds"]),
            (&json!(""), &json!(1))
        );
        one.claim.lost().await;
        for _ in 0..7 {
            assert!(!one.leads());
            seconds(1).await;
        }
        assert!(two.leads());
        assert_eq!(spec(&fake)["leaseTransitions"], 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_writing_long_before_another_starts() {
    simulate(|fake, world| async move {
        let one = Candidate::start(&fake, &world, "one");
        one.claim.acquired().await;
        let lost_at = |claim: Claim| async move { (claim.lost().await, Instant::now()).1 };
        seconds(12).await;
        let two = Candidate::start(&fake, &world, "two");
        seconds(1).await;
        let cut = Instant::now();
        // Only the leader is cut off: its renewals fail, the other one's reads do not.
        for _ in 0..10 {
            fake.script("PUT", 503);
        }
        let lost = lost_at(one.claim.clone()).await;
        assert!(lost - cut <= RENEW_DEADLINE);
        assert_eq!(one.ended.await, Ok(Ended::Lost));
        two.claim.acquired().await;
        assert!(
            Instant::now() - lost >= Duration::from_secs(40),
            "a minute after it was last seen to change"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_costs_nothing_and_a_theft_ends_the_claim_at_once() {
    simulate(|fake, world| async move {
        let one = Candidate::start(&fake, &world, "one");
        one.claim.acquired().await;
        fake.refuse(PATH, 500);
        seconds(12).await;
        fake.serve(PATH);
        seconds(60).await;
        assert!(one.leads());
        assert_eq!(spec(&fake)["leaseTransitions"], 0);

        foreign(&fake, "now");
        seconds(6).await;
        assert!(!one.leads());
        assert_eq!(one.ended.await, Ok(Ended::Lost));
        assert_eq!(spec(&fake)["holderIdentity"], "go_1");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_runs_out_by_itself() {
    simulate(|fake, world| async move {
        let (election, claim) = Election::new(world.clone(), fake.client(), "system", "host");
        assert!(!claim.is_current(Instant::now()));
        let mut run = Box::pin(election.run(std::future::pending()));
        tokio::select! {
            _ = &mut run => unreachable!(),
            () = claim.acquired() => {}
        }
        // The process hangs: nothing is polled, but time goes on.
        let guard = claim.guard(&world);
        assert!(guard());
        tokio::time::advance(RENEW_DEADLINE).await;
        assert!(!guard());
        assert!(Claim::always().is_current(Instant::now()));
    })
    .await;
}

#[test]
fn identities_are_uuids_of_version_4() {
    assert_eq!(uuid(0, 0), "00000000-0000-4000-8000-000000000000");
    assert_eq!(uuid(u64::MAX, u64::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
}
