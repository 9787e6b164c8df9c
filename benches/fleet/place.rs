//! Where a fleet lives: a control plane of processes, or the embedded cluster.

use actors::world::World;
use anyhow::{Context, bail};
use aviary::sandbox::{Resource, Sandbox, Settings, kinds};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use super::{
    audit::Audit,
    leash::Leash,
    requests::{Counter, Requests},
};

/// The scripts that start and stop a control plane.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/controlplane");
/// The account that a controller logs in as: what it asks for is in the audit log.
const ACCOUNT: &str = "system:serviceaccount:aviary-system:aviary";

/// A control plane of processes.
pub(crate) struct Lab {
    env: BTreeMap<String, String>,
    admin: Client,
    /// Given if it was started here: then it goes with this.
    own: Option<OwnLab>,
}

struct OwnLab {
    folder: PathBuf,
    /// Takes the control plane down should this process be killed.
    _leash: Leash,
}

/// The embedded cluster, with a runtime as the production controller has it.
pub(crate) struct House {
    pub(crate) sandbox: Sandbox,
    pub(crate) io: tokio::runtime::Handle,
    pub(crate) counter: Counter,
}

/// One of the two.
pub(crate) enum Place {
    Real(Lab),
    Sandbox(House),
}

// === impl Lab ===

impl Lab {
    /// Start a control plane.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        script("build", None)?;
        let folder = std::env::temp_dir().join(format!("aviary-fleet-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder)); // an error means that there is none
        let down = format!("'{SCRIPTS}/down' '{0}' >/dev/null 2>&1; rm -rf '{0}'", folder.display());
        let leash = Leash::new(&down)?;
        let own = OwnLab {
            folder: folder.clone(),
            _leash: leash,
        };
        script("up", Some(&folder))?;
        script("install", Some(&folder))?;
        let mut lab = Self::open(&folder.join("env")).await?;
        lab.own = Some(own);
        Ok(lab)
    }

    /// Use a control plane that is up.
    pub(crate) async fn open(env: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(env).with_context(|| env.display().to_string())?;
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let env: BTreeMap<String, String> = pairs.map(|(name, value)| (name.into(), value.into())).collect();
        let admin = env
            .get("AVIARY_ADMIN_KUBECONFIG")
            .context("the env file names no AVIARY_ADMIN_KUBECONFIG")?;
        let config =
            Config::from_custom_kubeconfig(Kubeconfig::read_from(admin)?, &KubeConfigOptions::default()).await?;
        let admin = Client::try_from(config)?;
        Ok(Self { env, admin, own: None })
    }

    /// A value of the env file.
    pub(crate) fn env(&self, name: &str) -> anyhow::Result<&str> {
        self.env
            .get(name)
            .map(String::as_str)
            .with_context(|| format!("the env file has no {name}"))
    }

    /// Let the controller's account do everything: a peer needs rights that ours does not.
    pub(crate) async fn grant_everything(&self) -> anyhow::Result<()> {
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "aviary-bench-peer"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": ACCOUNT}],
        });
        let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
        super::fleet::create(&self.admin, path, &binding).await
    }

    async fn revoke(&self) {
        let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/aviary-bench-peer";
        super::fleet::delete(&self.admin, path).await.ok(); // an error means that nothing was granted
    }
}

impl Drop for OwnLab {
    fn drop(&mut self) {
        drop(script("down", Some(&self.folder))); // what is left is said by the script
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Run one of the scripts; what it says is shown only if it fails.
fn script(name: &str, argument: Option<&Path>) -> anyhow::Result<()> {
    let mut command = Command::new(format!("{SCRIPTS}/{name}"));
    let output = command
        .args(argument)
        .stdin(Stdio::null())
        .output()
        .with_context(|| name.to_owned())?;
    if !output.status.success() {
        bail!(
            "tests/controlplane/{name} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

// === impl House ===

impl House {
    /// An empty cluster that serves what the controller needs. Pods are ready after a moment.
    pub(crate) fn build(world: &World, io: &tokio::runtime::Handle) -> anyhow::Result<Self> {
        let (clock, runtime) = (world.clone(), io.clone());
        let settings = Settings {
            ready_after: Duration::from_millis(500),
            // At once, as by default, means a look at every object after every write.
            collect_after: Duration::from_secs(5),
            ..Settings::default()
        };
        let spawner = Arc::new(move |task| drop(runtime.spawn(task)));
        let sandbox = Sandbox::new(Arc::new(move || clock.now()), spawner, settings);
        sandbox.install(Resource {
            namespaced: false,
            ..Resource::custom(
                "apiextensions.k8s.io",
                "v1",
                "CustomResourceDefinition",
                "customresourcedefinitions",
            )
        });
        for kind in kinds::standard().iter().filter(|kind| kind.custom) {
            let name = format!("{}.{}", kind.plural, kind.group);
            sandbox.create(json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name},
            }))?;
        }
        Ok(Self {
            sandbox,
            io: io.clone(),
            counter: Counter::default(),
        })
    }
}

// === impl Place ===

impl Place {
    /// For the bench's own requests, which are not counted.
    pub(crate) fn client(&self) -> Client {
        match self {
            Self::Real(lab) => lab.admin.clone(),
            Self::Sandbox(house) => house.sandbox.client(),
        }
    }

    /// What the controller asks for from now on.
    pub(crate) fn requests(&self) -> anyhow::Result<Requests> {
        Ok(match self {
            Self::Real(lab) => Requests::Audit(Audit::open(Path::new(lab.env("AVIARY_AUDIT_LOG")?))?),
            Self::Sandbox(house) => Requests::Counter(house.counter.clone()),
        })
    }

    /// Leave nothing behind. A control plane that was started here goes as a whole.
    pub(crate) async fn clean(&self) -> anyhow::Result<()> {
        match self {
            Self::Real(lab) if lab.own.is_none() => {
                lab.revoke().await;
                super::fleet::clean(&lab.admin).await
            }
            _ => Ok(()),
        }
    }
}
