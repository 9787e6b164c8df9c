//! The suite on the real control plane; the controller has the rights of its ServiceAccount and no others.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixture is for all cluster tests, this one needs a part of it"
)]

use actors::world::World;
use futures::future::FutureExt;
use jiff::Timestamp;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use parking_lot::Mutex;
use serde_json::Value;
use std::{
    fs,
    process::{Command, Output},
    rc::Rc,
    time::SystemTime,
};

mod cluster;
mod companions;
mod suite;

use cluster::lab::Lab;
use suite::Reach;

/// Where the controllers' accounts are.
const HOME: &str = "aviary-system";
/// The release whose controllers are confined to a namespace, and the account that its chart makes.
const ALONE: (&str, &str) = ("alone", "alone-aviary");
/// In the names of the namespaces that have a controller of their own.
const MARK: &str = "alone-";
/// The chart of the controller.
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/charts/aviary");

/// One test at a time: the controller of the whole cluster would look after the namespaces of the other test, too.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn the_suite_holds_on_the_real_control_plane() {
    let _turn = TURN.lock();
    suite::on_one_thread(false, async {
        let Some(lab) = Lab::open().await else { return };
        let controller = client(Kubeconfig::read_from(lab.env("AVIARY_KUBECONFIG")).unwrap()).await;
        let mark = std::process::id().to_string();
        suite::play(World::single(now(), 1), lab.client(), Reach::Cluster(controller), &mark).await;
        lab.close().await;
    });
}

/// A controller for each namespace, whose account the chart gives a Role there and nothing else.
#[test]
fn the_suite_holds_in_one_namespace_under_the_charts_role_alone() {
    let _turn = TURN.lock();
    suite::on_one_thread(false, async {
        let Some(lab) = Lab::open().await.map(Rc::new) else {
            return;
        };
        chart(&lab, HOME, "templates/account.yaml");
        let entered = lab.clone();
        let enter = move |namespace: &str| {
            chart(&entered, namespace, "templates/rbac.yaml");
            client(account(&entered)).boxed_local()
        };
        let mark = format!("{MARK}{}", std::process::id());
        let reach = Reach::Namespace(Rc::new(enter));
        suite::play(World::single(now(), 2), lab.client(), reach, &mark).await;
        stayed_at_home(&lab);
    });
}

/// Apply this template of the chart, for a controller that is confined to `namespace`.
fn chart(lab: &Lab, namespace: &str, template: &str) {
    let mut helm = Command::new(companions::testers().join("helm"));
    helm.args([
        "template",
        ALONE.0,
        CHART,
        "--kube-version=1.33.0",
        "-n",
        HOME,
        "-s",
        template,
    ]);
    helm.args(["--set", &format!("namespace={namespace},leaderElection.enabled=false")]);
    let rendered = succeeded(helm.output().unwrap());
    let path = lab.log("chart").with_extension("yaml");
    fs::write(&path, rendered).unwrap();
    succeeded(lab.kubectl(&["apply", "-f", &path.to_string_lossy()]));
}

/// What the account can log in with.
fn account(lab: &Lab) -> Kubeconfig {
    let token = succeeded(lab.kubectl(&["create", "token", ALONE.1, "-n", HOME]));
    let mut file = Kubeconfig::read_from(lab.env("AVIARY_KUBECONFIG")).unwrap();
    for user in &mut file.auth_infos {
        let token = serde_json::json!({"token": token.trim()});
        user.auth_info = Some(serde_json::from_value(token).unwrap());
    }
    file
}

/// Every request of the account was allowed, and was about a namespace of such a run.
fn stayed_at_home(lab: &Lab) {
    let log = fs::read_to_string(lab.env("AVIARY_AUDIT_LOG")).unwrap();
    let account = format!("system:serviceaccount:{HOME}:{}", ALONE.1);
    let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let own = entries.filter(|entry| entry["user"]["username"] == account.as_str());
    let asked: Vec<(i64, String)> = own
        .map(|entry| {
            let status = entry["responseStatus"]["code"].as_i64().unwrap_or_default();
            (status, entry["requestURI"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    assert!(asked.len() > 100, "{} requests for seven releases", asked.len());
    let discovery = "/apis/flagger.app/v1beta1";
    let strange = asked.iter().filter(|(status, uri)| {
        let is_inside = uri.contains("/namespaces/suite-") && uri.contains(MARK);
        *status == 403 || !(is_inside || uri == discovery)
    });
    let strange: Vec<_> = strange.collect();
    assert!(strange.is_empty(), "{strange:#?}");
}

fn succeeded(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn client(file: Kubeconfig) -> Client {
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

/// The World's clock starts at the cluster's time, which the conditions of its objects carry.
#[expect(clippy::disallowed_methods, reason = "the start of this test's World")]
fn now() -> Timestamp {
    SystemTime::now().try_into().unwrap()
}
