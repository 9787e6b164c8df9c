//! Which API server stores what.

use engine::Kind;
use kube::Client;

/// The cluster of the canaries, and the one of their mesh where that is another (`-kubeconfig-service-mesh`). Cheap to clone.
#[derive(Clone)]
pub struct Places {
    own: Client,
    mesh: Option<Client>,
}

// === impl Places ===

impl Places {
    /// Objects of meshes are in another cluster than the canaries.
    pub fn apart(own: Client, mesh: Client) -> Self {
        Self { own, mesh: Some(mesh) }
    }

    /// The cluster of the canaries: workloads, configs, Events, the lease.
    pub fn own(&self) -> &Client {
        &self.own
    }

    /// The cluster of the mesh, if it is another one.
    pub fn mesh(&self) -> Option<&Client> {
        self.mesh.as_ref()
    }

    /// The cluster that stores objects of this kind.
    pub fn of(&self, kind: Kind) -> &Client {
        self.mesh().filter(|_| kind.is_of_mesh()).unwrap_or(&self.own)
    }
}

/// Everything is in one cluster.
impl From<Client> for Places {
    fn from(own: Client) -> Self {
        Self { own, mesh: None }
    }
}
