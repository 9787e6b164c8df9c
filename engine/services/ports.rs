//! Ports of the Services: the service port, the discovered ones, and how they are laid over the ports that are there.

use crds::{Canary, service::Service};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

use super::Port;

/// Containers whose ports are never published: proxies of the meshes, when they are declared in the template (workloads.md 15.3, SV-3).
const SIDECARS: [&str; 5] = [
    "consul-dataplane",
    "envoy",
    "istio-proxy",
    "kuma-sidecar",
    "linkerd-proxy",
];

/// Longest name of a Service port: a DNS label.
const NAME_LEN_MAX: usize = 63;

/// Name of the service port when the Canary gives none.
const PORT_NAME: &str = "http";

/// The service port (services.md 4).
pub(super) fn service_port(service: &Service) -> Port {
    let port = service.port.whole().unwrap_or_default();
    let name = service.port_name.as_deref().filter(|name| !name.is_empty());
    let app_protocol = service.app_protocol.clone().filter(|protocol| !protocol.is_empty());
    Port {
        name: name.unwrap_or(PORT_NAME).to_owned(),
        port,
        protocol: "TCP".to_owned(),
        target: target(service).unwrap_or_else(|| json!(port)),
        app_protocol,
    }
}

/// `targetPort`, unless it is unset; 0 counts as unset in either form (services.md 4).
fn target(service: &Service) -> Option<Value> {
    let given = serde_json::to_value(service.target_port.as_ref()?).ok()?;
    let unset = given == 0 || given == "0" || given == "";
    (!unset).then_some(given)
}

/// The target's other container ports, sorted by name, and a sentence for each that is left out or renamed.
///
/// Different from the peer on purpose: the protocol is kept, and neither a name nor a port with its protocol comes twice (SV-2, SV-3).
/// Empty without `portDiscovery`.
pub fn discovered_ports(canary: &Canary, target: &Value) -> (Vec<Port>, Vec<String>) {
    let service = canary.spec.service.as_ref();
    let Some(service) = service.filter(|service| service.port_discovery == Some(true)) else {
        return (Vec::new(), Vec::new());
    };
    let first = service_port(service);
    let mut found = Found {
        sockets: BTreeSet::from([(first.port, first.protocol.clone())]),
        names: BTreeSet::from([first.name.clone()]),
        ports: Vec::new(),
        notes: Vec::new(),
    };
    let containers = target["spec"]["template"]["spec"]["containers"].as_array();
    for container in containers.into_iter().flatten() {
        let name = container["name"].as_str().unwrap_or_default();
        if SIDECARS.contains(&name) {
            continue;
        }
        let ports = container["ports"].as_array().into_iter().flatten();
        for (index, port) in ports.enumerate() {
            if let Some(exposed) = Exposed::read(name, index, port).filter(|exposed| !exposed.is_served_by(&first)) {
                found.add(&exposed);
            }
        }
    }
    found.ports.sort_by(|a, b| a.name.cmp(&b.name));
    (found.ports, found.notes)
}

/// The ports as the API server stores them, over the `live` ones: node ports and fields not known here are kept by name (services.md 6),
/// and so is the order where nothing else differs.
pub(super) fn towards(ports: &[Port], live: &Value) -> Value {
    let entries = live.as_array().map_or(&[][..], Vec::as_slice);
    let wanted: Vec<Value> = ports
        .iter()
        .map(|port| entry(port, entries.iter().find(|entry| is_same(port, entry))))
        .collect();
    let differs = wanted.len() != entries.len() || wanted.iter().any(|port| !entries.contains(port));
    if differs { Value::Array(wanted) } else { live.clone() }
}

/// A live entry keeps its node port while its name stays. An entry without name is the only one of its Service; it is known by its number,
/// so that adopting it does not change its node port.
fn is_same(port: &Port, live: &Value) -> bool {
    match live["name"].as_str().unwrap_or_default() {
        "" => live["port"] == port.port && live["protocol"].as_str().unwrap_or("TCP") == port.protocol,
        name => name == port.name,
    }
}

fn entry(port: &Port, live: Option<&Value>) -> Value {
    let mut fields: Map<String, Value> = live.and_then(Value::as_object).cloned().unwrap_or_default();
    fields.insert("name".to_owned(), json!(port.name));
    fields.insert("protocol".to_owned(), json!(port.protocol));
    fields.insert("port".to_owned(), json!(port.port));
    fields.insert("targetPort".to_owned(), port.target.clone());
    match &port.app_protocol {
        Some(protocol) => fields.insert("appProtocol".to_owned(), json!(protocol)),
        None => fields.remove("appProtocol"),
    };
    Value::Object(fields)
}

// === impl Exposed ===

/// A port that a container declares.
struct Exposed<'a> {
    container: &'a str,
    index: usize,
    name: Option<&'a str>,
    number: i64,
    protocol: &'a str,
}

impl<'a> Exposed<'a> {
    fn read(container: &'a str, index: usize, port: &'a Value) -> Option<Self> {
        Some(Self {
            container,
            index,
            name: port["name"].as_str().filter(|name| !name.is_empty()),
            number: port["containerPort"].as_i64()?,
            protocol: port["protocol"]
                .as_str()
                .filter(|text| !text.is_empty())
                .unwrap_or("TCP"),
        })
    }

    /// Whether the service port leads here already. A name counts only together with the protocol, as for the API.
    fn is_served_by(&self, first: &Port) -> bool {
        let same_target = match &first.target {
            Value::String(name) => self.name == Some(name),
            number => *number == self.number,
        };
        same_target && self.protocol == first.protocol
    }

    /// The declared name, or `<protocol>-<container>-<index>` cut to a DNS label.
    fn name(&self) -> String {
        let generated = || {
            let (head, tail) = (self.protocol.to_lowercase(), self.index.to_string());
            let room = NAME_LEN_MAX.saturating_sub(head.len() + tail.len() + 2);
            let container: String = self.container.chars().take(room).collect();
            format!("{head}-{container}-{tail}")
        };
        self.name.map_or_else(generated, ToOwned::to_owned)
    }
}

// === impl Found ===

struct Found {
    sockets: BTreeSet<(i64, String)>,
    names: BTreeSet<String>,
    ports: Vec<Port>,
    notes: Vec<String>,
}

impl Found {
    fn add(&mut self, exposed: &Exposed<'_>) {
        let (number, protocol, container) = (exposed.number, exposed.protocol, exposed.container);
        if !self.sockets.insert((number, protocol.to_owned())) {
            let note = format!(
                "port {number}/{protocol} of container {container} is not published: the Service has it already"
            );
            self.notes.push(note);
            return;
        }
        let declared = exposed.name();
        let name = self.free(&declared);
        if name != declared {
            let note = format!("port {declared} of container {container} is published as {name}: the name is taken");
            self.notes.push(note);
        }
        self.names.insert(name.clone());
        self.ports.push(Port {
            name,
            port: number,
            protocol: protocol.to_owned(),
            target: json!(number),
            app_protocol: None,
        });
    }

    /// `name`, or the first of `name-2`, `name-3`, … that nobody has. One of names.len() + 1 tries must be free.
    fn free(&self, name: &str) -> String {
        if !self.names.contains(name) {
            return name.to_owned();
        }
        let numbered = (2..self.names.len() + 3).map(|count| {
            let tail = format!("-{count}");
            let head: String = name.chars().take(NAME_LEN_MAX - tail.len()).collect();
            head + &tail
        });
        let mut unused = numbered.filter(|candidate| !self.names.contains(candidate));
        unused.next().unwrap_or_else(|| name.to_owned())
    }
}
