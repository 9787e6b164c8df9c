use super::*;
use crate::cluster::{fake::Fake, unguarded};
use engine::{objects::kinds::SERVICE, seam::Act};
use jiff::Timestamp;
use serde_json::json;

/// An actix system on one thread with a paused clock.
fn simulate<F: Future<Output = ()>>(run: impl FnOnce(World) -> F) {
    let clock = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).build().unwrap()
    };
    actix::System::with_tokio_rt(clock).block_on(async { run(World::single(Timestamp::UNIX_EPOCH, 1)).await });
}

async fn router(world: &World, fake: &Fake) -> Router {
    let (guard, tally) = unguarded();
    let cluster = Cluster::new(fake.client(), world.clone(), guard, tally);
    Router::start(world, cluster).await.unwrap()
}

fn create(name: &str) -> Write {
    Write {
        object: SERVICE.named("shop", name),
        act: Act::Create(json!({"spec": {}})),
    }
}

#[test]
fn writes_stop_at_the_first_failure() {
    simulate(|world| async move {
        let fake = Fake::default();
        fake.put("/api/v1/namespaces/shop/services/b", json!({"metadata": {"name": "b"}}));
        let seat = router(&world, &fake).await.free_seat();
        let results = apply(seat, ["a", "b", "c"].map(create).to_vec()).await;
        assert_eq!(results[0].as_ref().unwrap()["metadata"]["name"], "a");
        assert_eq!(results[1], Err(Trouble::Conflict("already exists".into())));
        assert_eq!(results[2], Err(Trouble::Skipped));
        assert_eq!(fake.log().len(), 2);
    });
}

#[test]
fn more_reads_than_permits_all_get_their_answer() {
    simulate(|world| async move {
        let fake = Fake::default();
        fake.put("/api/v1/namespaces/shop/services/a", json!({"metadata": {"name": "a"}}));
        let router = router(&world, &fake).await;
        let reads = (0..READS * 4).map(|_| router.read(SERVICE.named("shop", "a")));
        let read = futures::future::join_all(reads).await;
        assert!(read.iter().all(|answer| matches!(answer, Ok(Some(_)))));
        assert_eq!(router.reads.free(), READS);
    });
}

#[test]
fn a_list_that_waits_for_its_seat_is_written_once_one_is_free() {
    simulate(|world| async move {
        let router = router(&world, &Fake::default()).await;
        let mut taken: Vec<_> = (0..APPLIES).map_while(|_| router.free_seat()).collect();
        assert_eq!(taken.len(), APPLIES);
        assert!(router.free_seat().is_none());
        let waiting = router.seat();
        taken.pop();
        let results = apply(waiting.await, vec![create("a")]).await;
        assert_eq!(results[0].as_ref().unwrap()["metadata"]["name"], "a");
        assert!(router.free_seat().is_some());
    });
}
