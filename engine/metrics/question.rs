//! A question to a metrics server, and what only the actor can add to it: a signature with the time of sending, a token that is
//! asked for first, or the way to the API server.

use serde::{Serialize, Serializer};
use std::fmt;

use super::{aws::Signing, google::ServiceAccount};
use crate::{ObjectRef, http::Request, seam::Ask};

/// What is sent, and how it gets through.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Question {
    /// The request, whole but for what `access` adds.
    pub request: Request,
    /// How it gets through.
    pub access: Access,
}

/// How a question gets through. Neither `Debug` nor `Serialize` show credentials.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// As it is: all credentials are in its headers.
    Open,
    /// Signed with AWS Signature Version 4, at the time of sending.
    Aws(Signing),
    /// With a bearer token of Google: this account's, or, for `None`, that of the controller's own identity.
    Google(Option<ServiceAccount>),
    /// Path and query of the URL at the API server, with the controller's own rights. The host is a placeholder.
    Cluster,
    /// Make this object, wait until it is judged, delete it. The answer is the judged object.
    Analysis {
        /// What is made; the actor adds a suffix to the name, so that no two runs meet.
        object: ObjectRef,
        /// It, as JSON text without a name.
        manifest: String,
    },
}

// === impl Question ===

impl Question {
    /// A question that needs nothing more.
    pub fn open(request: Request) -> Self {
        Self {
            request,
            access: Access::Open,
        }
    }

    /// The question as the step asks it.
    pub fn ask(self) -> Ask {
        match self.access {
            Access::Open => Ask::Query(self.request),
            _ => Ask::Inquire(Box::new(self)),
        }
    }
}

// === impl Access ===

impl Access {
    /// One word, for logs and snapshots.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Aws(_) => "aws",
            Self::Google(_) => "google",
            Self::Cluster => "cluster",
            Self::Analysis { .. } => "analysis",
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for Access {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
