//! How a question gets out: within the limits of its server, and with what only the moment of sending knows.

use engine::{
    http::{Request, Response},
    metrics::{Access, Question, aws},
    seam::Trouble,
};

use super::{
    Reach, keptn,
    tokens::{Tokens, Who},
};
use crate::{cluster::Cluster, outbound::Outbound, servers::Servers, world::World};

/// Name under which the API server has its limits.
const API_SERVER: &str = "the API server";

/// The way out.
pub(super) struct Gate {
    world: World,
    outbound: Outbound,
    servers: Servers,
    tokens: Tokens,
    cluster: Option<Cluster>,
}

// === impl Gate ===

impl Gate {
    pub(super) fn new(world: &World, outbound: &Outbound, servers: Servers, reach: Reach) -> Self {
        Self {
            world: world.clone(),
            outbound: outbound.clone(),
            tokens: Tokens::new(world, outbound, &servers, reach.ambient),
            servers,
            cluster: reach.cluster,
        }
    }

    pub(super) async fn send(&self, question: Question) -> Result<Response, Trouble> {
        let Question { request, access } = question;
        match access {
            Access::Open => self.servers.send(&self.outbound, request).await,
            Access::Aws(signing) => self.signed(request, signing).await,
            Access::Google(account) => self.with_token(request, Who::Google(account)).await,
            Access::Cluster => {
                let cluster = self.cluster()?;
                let path = path(&request)?;
                let ask = || async move { within(&request, cluster.fetch(&path)).await };
                self.servers
                    .through(API_SERVER.to_owned(), engine::metrics::provider::TIMEOUT, ask)
                    .await
            }
            Access::Analysis { object, manifest } => {
                let cluster = self.cluster()?.clone();
                keptn::run(&self.world, cluster, object, &manifest, request.timeout).await
            }
        }
    }

    fn cluster(&self) -> Result<&Cluster, Trouble> {
        let none = || Trouble::Refused("there is no API server to ask".to_owned());
        self.cluster.as_ref().ok_or_else(none)
    }

    async fn signed(&self, request: Request, signing: aws::Signing) -> Result<Response, Trouble> {
        let keys = match &signing.keys {
            Some(keys) => keys.clone(),
            None => self.tokens.aws(&signing.region).await?,
        };
        let signed = aws::sign(&request, &signing, &keys, self.world.now());
        let signed = signed.map_err(|error| Trouble::Refused(format!("not a URL: {error}")))?;
        self.servers.send(&self.outbound, signed).await
    }

    async fn with_token(&self, mut request: Request, who: Who) -> Result<Response, Trouble> {
        let token = self.tokens.google(&who).await?;
        request
            .headers
            .push(("Authorization".to_owned(), format!("Bearer {token}")));
        let answer = self.servers.send(&self.outbound, request).await;
        if answer.as_ref().is_ok_and(|response| response.status == 401) {
            // It was withdrawn before its end: the next question gets another.
            self.tokens.forget(&who);
        }
        answer
    }
}

/// Path and query; the host only stands for the API server.
fn path(request: &Request) -> Result<String, Trouble> {
    let uri: http::Uri = request
        .url
        .parse()
        .map_err(|error| Trouble::Refused(format!("not a URL: {error}")))?;
    Ok(uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str)
        .to_owned())
}

async fn within(
    request: &Request,
    exchange: impl Future<Output = Result<Response, Trouble>>,
) -> Result<Response, Trouble> {
    let limit = request.timeout;
    let late = |_| Trouble::Unavailable(format!("{API_SERVER}: no answer within {limit:?}"));
    tokio::time::timeout(limit, exchange).await.map_err(late)?
}
