//! What happens in the cluster, watched as any controller watches it.

use engine::{Kind, objects::kinds};
use futures::{Stream, StreamExt, future, stream};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event},
    },
};
use serde_json::Value;

use super::cast::NAMESPACE;

/// Events, as `kubectl describe` shows them.
pub(super) const EVENT: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Event",
    plural: "events",
};

/// What is watched.
const KINDS: [Kind; 5] = [
    kinds::CANARY,
    kinds::DEPLOYMENT,
    kinds::SERVICE,
    kinds::HTTP_ROUTE,
    EVENT,
];

/// One change of one object.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) kind: Kind,
    pub(super) object: Value,
    pub(super) gone: bool,
}

/// All changes in the demo's namespace. Those of one kind come in order, and none is left out while the watch holds.
pub(super) fn changes(client: &Client) -> impl Stream<Item = Change> + Unpin + use<> {
    let watches = KINDS.map(|kind| watch(client, kind).boxed());
    stream::select_all(watches)
}

fn watch(client: &Client, kind: Kind) -> impl Stream<Item = Change> + Send + use<> {
    let resource = ApiResource {
        group: kind.group.to_owned(),
        version: kind.version.to_owned(),
        api_version: kind.api_version(),
        kind: kind.kind.to_owned(),
        plural: kind.plural.to_owned(),
    };
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &resource);
    let events = watcher::watcher(api, watcher::Config::default()).default_backoff();
    events.filter_map(move |event| future::ready(event.ok().and_then(|event| change(kind, event))))
}

fn change(kind: Kind, event: Event<DynamicObject>) -> Option<Change> {
    let (object, gone) = match event {
        Event::Apply(object) | Event::InitApply(object) => (object, false),
        Event::Delete(object) => (object, true),
        Event::Init | Event::InitDone => return None,
    };
    let object = serde_json::to_value(object).ok()?;
    Some(Change { kind, object, gone })
}

// === impl Change ===

impl Change {
    /// Name of the object.
    pub(super) fn name(&self) -> &str {
        text(&self.object["metadata"]["name"])
    }
}

/// A text, empty if it is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
