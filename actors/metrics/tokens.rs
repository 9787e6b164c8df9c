//! Tokens and temporary credentials, kept until shortly before they end. Each is asked for once, however many queries wait for it.

use engine::{
    http::Request,
    metrics::{
        aws::{
            Keys,
            tokens::{Granted, container, container_request, web_identity, web_identity_request},
        },
        google::{self, ServiceAccount, metadata_request, to_sign, token_request},
    },
    seam::Trouble,
};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use ring::{rand::SystemRandom, signature};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::Mutex as Turn;

use super::Ambient;
use crate::{outbound::Outbound, servers::Servers, world::World};

/// Identities that are remembered: one per account or region, of which a controller has a handful.
const IDENTITIES_MAX: usize = 64;
/// A token is used no more when less than this is left of its life: the longest request takes 15 s.
const RESERVE: SignedDuration = SignedDuration::from_secs(60);

/// The tokens.
pub(super) struct Tokens {
    world: World,
    outbound: Outbound,
    servers: Servers,
    ambient: Ambient,
    kept: Mutex<BTreeMap<Who, Arc<Turn<Option<Kept>>>>>,
}

/// Whose token.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// The controller's own credentials at AWS, in a region.
    Aws(String),
    /// A Google account; the controller's own for `None`.
    Google(Option<ServiceAccount>),
}

#[derive(Clone)]
struct Kept {
    secret: Secret,
    ends: Timestamp,
}

#[derive(Clone)]
enum Secret {
    Keys(Keys),
    Token(String),
}

// === impl Tokens ===

impl Tokens {
    pub(super) fn new(world: &World, outbound: &Outbound, servers: &Servers, ambient: Ambient) -> Self {
        Self {
            world: world.clone(),
            outbound: outbound.clone(),
            servers: servers.clone(),
            ambient,
            kept: Mutex::default(),
        }
    }

    /// The controller's own credentials, in the order of AWS's SDKs: environment, role of the service account, agent.
    pub(super) async fn aws(&self, region: &str) -> Result<Keys, Trouble> {
        if let Some(keys) = &self.ambient.aws_keys {
            return Ok(keys.clone());
        }
        match self.get(&Who::Aws(region.to_owned())).await? {
            Secret::Keys(keys) => Ok(keys),
            Secret::Token(_) => Err(none("credentials for AWS")),
        }
    }

    /// A bearer token of Google's.
    pub(super) async fn google(&self, who: &Who) -> Result<String, Trouble> {
        match self.get(who).await? {
            Secret::Token(token) => Ok(token),
            Secret::Keys(_) => Err(none("token for Google")),
        }
    }

    /// Do not use this token again.
    pub(super) fn forget(&self, who: &Who) {
        self.kept.lock().remove(who);
    }

    async fn get(&self, who: &Who) -> Result<Secret, Trouble> {
        let place = self.place(who);
        let mut kept = place.lock().await;
        let now = self.world.now();
        if let Some(known) = kept.as_ref().filter(|known| now + RESERVE < known.ends) {
            return Ok(known.secret.clone());
        }
        let fresh = match who {
            Who::Aws(region) => self.ask_aws(region).await?,
            Who::Google(account) => self.ask_google(account.clone()).await?,
        };
        let secret = fresh.secret.clone();
        *kept = Some(fresh);
        Ok(secret)
    }

    fn place(&self, who: &Who) -> Arc<Turn<Option<Kept>>> {
        let mut kept = self.kept.lock();
        if kept.len() >= IDENTITIES_MAX && !kept.contains_key(who) {
            kept.clear();
        }
        kept.entry(who.clone()).or_default().clone()
    }

    async fn ask_aws(&self, region: &str) -> Result<Kept, Trouble> {
        let granted = if let Some((role, file)) = &self.ambient.aws_role {
            let token = read(file)?;
            self.ask(web_identity_request(region, role, &token), web_identity)
                .await?
        } else if let Some((url, file)) = &self.ambient.aws_agent {
            let token = file.as_deref().map(read).transpose()?;
            self.ask(container_request(url, token.as_deref()), container).await?
        } else {
            return Err(none("credentials for AWS; put some into the secret of the template"));
        };
        let Granted { keys, ends } = granted;
        Ok(Kept {
            secret: Secret::Keys(keys),
            ends: ends.unwrap_or(Timestamp::MAX),
        })
    }

    async fn ask_google(&self, account: Option<ServiceAccount>) -> Result<Kept, Trouble> {
        let account = match (account, &self.ambient.google_key_file) {
            (None, Some(file)) => {
                let account = ServiceAccount::parse(&read(file)?);
                Some(account.map_err(|_| none("usable key in the file of GOOGLE_APPLICATION_CREDENTIALS"))?)
            }
            (account, _) => account,
        };
        let now = self.world.now();
        let request = match &account {
            None => metadata_request(),
            Some(account) => {
                let text = to_sign(account, now);
                token_request(account, &text, &rs256(&account.key, &text)?)
            }
        };
        let token = self.ask(request, google::token).await?;
        let life = SignedDuration::try_from(token.life).unwrap_or_default();
        Ok(Kept {
            secret: Secret::Token(token.text),
            ends: now.checked_add(life).unwrap_or(now),
        })
    }

    async fn ask<T>(
        &self,
        request: Request,
        read: fn(&engine::http::Response) -> Result<T, String>,
    ) -> Result<T, Trouble> {
        let answer = self.servers.send(&self.outbound, request).await?;
        read(&answer).map_err(Trouble::Unavailable)
    }
}

/// RSASSA-PKCS1-v1_5 with SHA-256. The randomness only hides the key from those who measure time; the signature is always the same.
fn rs256(key: &[u8], text: &str) -> Result<Vec<u8>, Trouble> {
    let refused = |_| Trouble::Refused("the private key of the service account cannot be used".to_owned());
    let pair = signature::RsaKeyPair::from_pkcs8(key).map_err(|_| refused(ring::error::Unspecified))?;
    let mut signed = vec![0; pair.public().modulus_len()];
    let random = SystemRandom::new();
    pair.sign(&signature::RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signed)
        .map_err(refused)?;
    Ok(signed)
}

/// A small file that the kubelet keeps fresh.
fn read(file: &str) -> Result<String, Trouble> {
    std::fs::read_to_string(file).map_err(|error| Trouble::Unavailable(format!("{file}: {error}")))
}

fn none(what: &str) -> Trouble {
    Trouble::Refused(format!("the controller has no {what}"))
}
