//! Spawns one actor per canary, re-creates those that die, and lets go of those whose resource is gone.
//!
//! actix restarts actors that stop, with their old state, but not those that panic (crates.md 3). Here it is the other way round: a
//! dead actor is replaced by a fresh one that knows only what is stored, after a pause that grows, while all others never notice.

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, ResponseFuture};
use engine::{Event, objects::kinds};
use futures::future::join_all;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::Instant;

use crate::{
    canary::{CanaryActor, Observe, Retire, Snapshot, Tools},
    desk::{Death, Desk, News},
    mail::{Bell, Mail},
    metrics::QUERIES_MAX,
    notifier::{NOTICES_MAX, Notify},
    webhook::CALLS_MAX,
    world::World,
};

/// First pause before a dead actor is replaced; each further death doubles it.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// Longest pause: a canary whose every step fails costs one try in five minutes.
const PAUSE_LONGEST: Duration = Duration::from_mins(5);
/// An actor that lived this long has paid its debts: the next death counts as the first.
const PARDON: Duration = Duration::from_mins(10);
/// Longest wait for one actor's answer when the state of all is shown.
const OBSERVE_WAIT: Duration = Duration::from_secs(1);

/// Sort the news.
#[derive(Clone, Copy, Debug, Default, Message)]
#[rtype(result = "()")]
pub struct Sort;

/// Show the state of all actors.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "State")]
pub struct ObserveAll;

/// State of all actors, for people and tests.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Canaries that are looked after, living or waiting to be made again.
    pub children: usize,
    /// Actors started so far.
    pub lives: u64,
    /// Canaries whose actor has died and is to be replaced, with its deaths in a row.
    pub dying: BTreeMap<String, u32>,
    /// Messages that wait or are handled, by pool.
    pub busy: BTreeMap<&'static str, usize>,
    /// Kinds whose cache is not filled.
    pub unsynced: Vec<&'static str>,
    /// The canary actors that answered within a second.
    pub canaries: Vec<Snapshot>,
}

/// Let all canaries finish their steps and end; answered when they have.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct RetireAll;

/// An actor has been started.
#[derive(Message)]
#[rtype(result = "()")]
struct Born {
    key: String,
    life: u64,
    contact: Contact,
}

/// How to reach a canary actor.
#[derive(Clone)]
struct Contact {
    observe: Recipient<Observe>,
    retire: Recipient<Retire>,
}

/// One canary, as the supervisor knows it.
struct Child {
    /// Number of its actor; the actors of all canaries are counted. What is heard of an earlier one is no news.
    life: u64,
    /// Whether that actor has died and is to be replaced.
    dead: bool,
    contact: Option<Contact>,
    /// Deaths in a row.
    deaths: u32,
    born: Instant,
}

/// The supervisor.
pub struct Supervisor {
    tools: Arc<Tools>,
    desk: Desk,
    bell: Option<Bell<Sort>>,
    children: BTreeMap<String, Child>,
    /// Actors started so far.
    lives: u64,
    retiring: bool,
}

// === impl Supervisor ===

impl Supervisor {
    /// A supervisor over the news of this desk.
    pub fn new(tools: Arc<Tools>, desk: Desk) -> Self {
        Self {
            tools,
            desk,
            bell: None,
            children: BTreeMap::new(),
            lives: 0,
            retiring: false,
        }
    }

    fn sort(&mut self, key: String, news: &News, context: &mut Context<Self>) {
        if news.exists == Some(false) {
            self.let_go(&key);
            return;
        }
        if let Some(death) = &news.died {
            self.replace_later(&key, death, context);
        }
        if news.exists == Some(true) && !self.children.contains_key(&key) && !self.retiring {
            self.spawn(key, 0, context);
        }
    }

    fn spawn(&mut self, key: String, deaths: u32, context: &Context<Self>) {
        self.lives += 1;
        let life = self.lives;
        let (tools, obituary) = (self.tools.clone(), self.desk.obituary(&key, life));
        let (home, name) = (Mail::new(context.address().recipient::<Born>(), 1), key.clone());
        let world = self.tools.world.clone();
        self.tools.world.place(&key, move || {
            let actor = CanaryActor::create(|context| CanaryActor::new(&name, tools, obituary, context));
            let contact = Contact {
                observe: actor.clone().recipient(),
                retire: actor.recipient(),
            };
            world.spawn(async move {
                let key = name;
                home.send(Born { key, life, contact }).await.ok();
            });
        });
        self.children.insert(
            key,
            Child {
                life,
                dead: false,
                contact: None,
                deaths,
                born: self.tools.world.instant(),
            },
        );
    }

    fn let_go(&mut self, key: &str) {
        let Some(child) = self.children.remove(key) else { return };
        // An actor that is dead, or not born yet, does not do it; one that is stepping does it again at its end.
        let (namespace, name) = key.split_once('/').unwrap_or(("", key));
        self.tools.series.remove(namespace, name);
        if let Some(contact) = child.contact {
            retire(&self.tools.world, contact, Retire { gone: true });
        }
    }

    fn replace_later(&mut self, key: &str, death: &Death, context: &mut Context<Self>) {
        let current = |child: &&mut Child| child.life == death.life;
        let Some(child) = self.children.get_mut(key).filter(current) else {
            return;
        };
        child.contact = None;
        child.dead = true;
        let lived = self.tools.world.instant().duration_since(child.born);
        child.deaths = if lived > PARDON {
            1
        } else {
            child.deaths.saturating_add(1)
        };
        let deaths = child.deaths;
        let pause = pause(deaths);
        self.tools.series.restarted("canary");
        self.mourn(key, &death.cause, pause);
        let (key, life) = (key.to_owned(), death.life);
        context.run_later(pause, move |supervisor, context| {
            let still_wanted = supervisor.children.get(&key).is_some_and(|child| child.life == life);
            if still_wanted && !supervisor.retiring {
                supervisor.spawn(key, deaths, context);
            }
        });
    }

    /// Tell the owner that something is wrong with us, not with the release.
    fn mourn(&self, key: &str, cause: &str, pause: Duration) {
        tracing::error!(
            canary = key,
            cause,
            pause_secs = pause.as_secs(),
            "the actor of a canary died"
        );
        let (namespace, name) = key.split_once('/').unwrap_or(("", key));
        let seen = self.tools.caches.object(&kinds::CANARY.named(namespace, name));
        let Some(Ok((canary, _))) = seen.present().map(|raw| crds::decode::canary(raw)) else {
            return;
        };
        let phase = canary.status.as_ref().map(|status| status.phase).unwrap_or_default();
        let text = format!("Internal error, trying again in {} s: {cause}", pause.as_secs());
        let notify = Notify {
            canary: Arc::new(canary),
            events: vec![Event::error(phase, text)],
            alerts: Vec::new(),
            receipt: None,
            at: self.tools.world.now(),
        };
        let notifier = self.tools.notifier.clone();
        self.tools.world.spawn(async move {
            notifier.notify.send(notify).await.ok();
        });
    }

    fn count(&self) {
        let mut by_namespace = BTreeMap::new();
        for key in self.children.keys() {
            let namespace = key.split_once('/').map_or("", |(namespace, _)| namespace);
            *by_namespace.entry(namespace.to_owned()).or_insert(0) += 1;
        }
        self.tools.series.count_canaries(&by_namespace);
    }

    /// The state without the canaries' own.
    fn state(&self) -> State {
        let tools = &self.tools;
        let mut busy: BTreeMap<&'static str, usize> = tools.router.busy().into();
        busy.insert("hooks", CALLS_MAX - tools.hooks.free());
        busy.insert("queries", QUERIES_MAX - tools.queries.free());
        busy.insert("notices", NOTICES_MAX - tools.notifier.notify.free());
        let dead = self.children.iter().filter(|(_, child)| child.dead);
        State {
            children: self.children.len(),
            lives: self.lives,
            dying: dead.map(|(key, child)| (key.clone(), child.deaths)).collect(),
            busy,
            unsynced: tools.caches.unsynced().iter().map(|kind| kind.kind).collect(),
            canaries: Vec::new(),
        }
    }

    fn contacts(&self) -> Vec<Contact> {
        self.children
            .values()
            .filter_map(|child| child.contact.clone())
            .collect()
    }
}

fn retire(world: &World, contact: Contact, how: Retire) {
    world.spawn(async move {
        contact.retire.send(how).await.ok();
    });
}

/// 1, 2, 4 … 300 s.
fn pause(deaths: u32) -> Duration {
    let doubled = 1_u32.checked_shl(deaths.saturating_sub(1)).unwrap_or(u32::MAX);
    PAUSE_FIRST.saturating_mul(doubled).min(PAUSE_LONGEST)
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let bell = Bell::new(context.address().recipient());
        self.bell = Some(bell.clone());
        self.desk.ring(&bell);
    }
}

impl Handler<Sort> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: Sort, context: &mut Self::Context) {
        if let Some(bell) = &self.bell {
            bell.heard();
        }
        let mut came_or_went = false;
        for (key, news) in self.desk.take() {
            came_or_went |= news.exists.is_some();
            self.sort(key, &news, context);
        }
        // Once for all that came together: a start with thousands of canaries counts a few times.
        if came_or_went {
            self.count();
        }
    }
}

impl Handler<Born> for Supervisor {
    type Result = ();

    fn handle(&mut self, Born { key, life, contact }: Born, _: &mut Self::Context) {
        let exists = self.children.contains_key(&key);
        let current = self.children.get_mut(&key).filter(|child| child.life == life);
        // Let go before it was born, or born while everything ends. Its series are those of its successor, if there is one.
        let (Some(child), false) = (current, self.retiring) else {
            retire(&self.tools.world, contact, Retire { gone: !exists });
            return;
        };
        // An actor may die in its first step, before this is heard.
        child.contact = Some(contact).filter(|_| !child.dead);
    }
}

impl Handler<ObserveAll> for Supervisor {
    type Result = ResponseFuture<State>;

    fn handle(&mut self, _: ObserveAll, _: &mut Self::Context) -> Self::Result {
        let (contacts, mut state) = (self.contacts(), self.state());
        Box::pin(async move {
            let answers = join_all(
                contacts
                    .iter()
                    .map(|contact| contact.observe.send(Observe).timeout(OBSERVE_WAIT)),
            );
            state.canaries = answers.await.into_iter().flatten().collect();
            state
        })
    }
}

impl Handler<RetireAll> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: RetireAll, _: &mut Self::Context) -> Self::Result {
        self.retiring = true;
        let contacts = self.contacts();
        Box::pin(async move {
            let how = Retire { gone: false };
            join_all(contacts.iter().map(|contact| contact.retire.send(how))).await;
        })
    }
}
