//! `aviary sandbox`: the embedded cluster for kubectl.

use super::{Sandbox, Settings, serve};
use actors::world::World;
use anyhow::Context as _;
use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::PathBuf,
    sync::Arc,
};
use tokio::{
    runtime::Handle,
    signal::unix::{SignalKind, signal},
};

/// Serve an embedded cluster for kubectl on loopback, until ctrl-c.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = TEACHING)]
pub struct Args {
    /// Port on 127.0.0.1; 0 chooses a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Where the kubeconfig is written; an existing file is replaced.
    #[arg(long, default_value = "aviary.kubeconfig")]
    pub kubeconfig: PathBuf,
}

const TEACHING: &str = "\
A Kubernetes API in one process, in memory, gone at the end. Deployments and DaemonSets become ready after a while; nothing runs.
Aviary's own CRDs are installed. There is no login: every process on this machine may use it.

Example:
  aviary sandbox &
  export KUBECONFIG=aviary.kubeconfig
  kubectl get canaries --all-namespaces
  aviary controller -kubeconfig aviary.kubeconfig -mesh-provider gatewayapi:v1";

/// Run it.
pub fn main(args: &Args) -> anyhow::Result<()> {
    actix::System::new().block_on(run(args))
}

async fn run(args: &Args) -> anyhow::Result<()> {
    let listener = serve::listener(args.port).with_context(|| format!("port {} cannot be used", args.port))?;
    let address = listener.local_addr().context("the port has no address")?;
    let sandbox = cluster(&World::threads(Handle::current(), Vec::new()))?;
    let server = serve::serve(&sandbox, listener).context("the server cannot be started")?;
    let (handle, file) = (server.handle(), args.kubeconfig.display());
    fs::write(&args.kubeconfig, serve::kubeconfig(address)).with_context(|| format!("{file} cannot be written"))?;
    let text = format!(
        "The embedded cluster serves http://{address}; ctrl-c ends it.\n\n\
         export KUBECONFIG={file}\n\
         kubectl api-resources\n"
    );
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be heard")?;
    tokio::select! {
        ended = server => ended.context("the server ended")?,
        () = async { tokio::signal::ctrl_c().await.unwrap_or(()) } => handle.stop(false).await,
        _ = terminate.recv() => handle.stop(false).await,
    }
    Ok(())
}

/// A cluster with Aviary's CRDs, whose time is that of the World.
fn cluster(world: &World) -> anyhow::Result<Sandbox> {
    let (clock, spawner) = (world.clone(), world.clone());
    let sandbox = Sandbox::new(
        Arc::new(move || clock.now()),
        Arc::new(move |task| spawner.spawn(task)),
        Settings {
            strict: true,
            ..Settings::default()
        },
    );
    sandbox.furnish().context("the cluster cannot be furnished")?;
    Ok(sandbox)
}
