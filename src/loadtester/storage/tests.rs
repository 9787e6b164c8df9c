use super::*;
use crate::loadtester::gates::Switch;

fn world() -> World {
    World::threads(tokio::runtime::Handle::current(), Vec::new())
}

fn gate(name: &str) -> Name {
    Name {
        switch: Switch::Gate,
        namespace: "test".into(),
        canary: name.into(),
    }
}

fn opening(name: &str) -> Change {
    Change {
        name: gate(name),
        open: true,
        checksum: String::new(),
        once: false,
        lasting: None,
        by: String::new(),
    }
}

async fn without_cluster(text: &str) -> anyhow::Result<Storage> {
    Storage::open(text, async || anyhow::bail!("there is no cluster")).await
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("aviary-{name}-{}", std::process::id()));
    fs::remove_dir_all(&folder).ok();
    fs::create_dir(&folder).unwrap();
    folder
}

#[tokio::test]
async fn a_file_survives_the_process() {
    let folder = folder("gates");
    let place = format!("file:{}", folder.join("gates.json").display());
    let first = without_cluster(&place).await.unwrap();
    first.change(&world(), &opening("podinfo")).await.unwrap();
    let second = without_cluster(&place).await.unwrap();
    assert!(second.is_open(&world(), &gate("podinfo"), "").await.unwrap());
    assert!(!second.is_open(&world(), &gate("other"), "").await.unwrap());
    let left: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["gates.json"]);

    // What cannot be stored is not done.
    fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(
        second.change(&world(), &opening("other")).await,
        Err(Trouble::File(_))
    ));
    assert!(!second.is_open(&world(), &gate("other"), "").await.unwrap());
}

#[tokio::test]
async fn what_is_no_storage_is_said_at_the_start() {
    let folder = folder("bad-gates");
    fs::write(folder.join("gates.json"), "{half").unwrap();
    let broken = format!("file:{}", folder.join("gates.json").display());
    for (text, words) in [
        ("redis:x", "file:PATH or configmap:NAMESPACE/NAME"),
        ("configmap:x", "file:PATH or configmap:NAMESPACE/NAME"),
        ("file:/no/such/folder/gates", "-gate-storage file:/no/such/folder/gates"),
        (broken.as_str(), "-gate-storage"),
        ("configmap:a/b", "there is no cluster"),
    ] {
        let error = without_cluster(text).await.err().unwrap();
        assert!(format!("{error:#}").contains(words), "{error:#}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[cfg(feature = "sandbox")]
mod shared {
    use super::*;
    use crate::sandbox::{Sandbox, Settings};
    use jiff::Timestamp;
    use std::sync::Arc;

    fn client() -> Client {
        let runtime = tokio::runtime::Handle::current();
        let spawner = move |task| drop(runtime.spawn(task));
        Sandbox::new(
            Arc::new(|| Timestamp::UNIX_EPOCH),
            Arc::new(spawner),
            Settings::default(),
        )
        .client()
    }

    async fn open(client: &Client) -> Storage {
        let client = client.clone();
        Storage::open("configmap:default/gates", async move || Ok(client))
            .await
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn replicas_see_the_same_gates() {
        let client = client();
        let (one, two) = (open(&client).await, open(&client).await);
        one.change(&world(), &opening("podinfo")).await.unwrap();
        assert!(two.is_open(&world(), &gate("podinfo"), "").await.unwrap());
        two.change(&world(), &opening("other")).await.unwrap();
        assert_eq!(one.book().await.unwrap().0.len(), 2, "neither overwrites the other");
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_second_tries_again() {
        let client = client();
        let replicas = futures::future::join_all((0..5).map(|_| open(&client))).await;
        let world = world();
        let writes = replicas.iter().zip(0..).map(|(replica, at)| {
            let world = world.clone();
            async move { replica.change(&world, &opening(&format!("canary-{at}"))).await }
        });
        for written in futures::future::join_all(writes).await {
            written.unwrap();
        }
        assert_eq!(replicas[0].book().await.unwrap().0.len(), 5);
    }
}
