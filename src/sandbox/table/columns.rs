//! The columns of the builtin kinds.

use super::{Cell, Column, age};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Hosts of an Ingress that are shown by name.
const HOSTS: usize = 3;

/// Columns of a builtin kind.
pub(super) fn native(kind: &str) -> Vec<Column> {
    let mut columns = vec![Column::new("Name", "string", 0, Cell::Name)];
    match kind {
        "Namespace" => columns.push(text("Status", "/status/phase", "")),
        "Service" => service(&mut columns),
        "Deployment" => deployment(&mut columns),
        "ReplicaSet" => {
            columns.push(count("Desired", "/spec/replicas"));
            columns.push(count("Current", "/status/replicas"));
            columns.push(count("Ready", "/status/readyReplicas"));
        }
        "DaemonSet" => daemon_set(&mut columns),
        "ConfigMap" => columns.push(made("Data", |object, _| {
            json!(size(&object["data"]) + size(&object["binaryData"]))
        })),
        "Secret" => {
            columns.push(text("Type", "/type", ""));
            columns.push(made("Data", |object, _| json!(size(&object["data"]))));
        }
        "Lease" => columns.push(text("Holder", "/spec/holderIdentity", "")),
        "HorizontalPodAutoscaler" => autoscaler(&mut columns),
        "Ingress" => ingress(&mut columns),
        "Event" => return event(),
        "ClusterRole" | "CustomResourceDefinition" | "Role" => {
            columns.push(text("Created At", "/metadata/creationTimestamp", ""));
            return columns;
        }
        "ClusterRoleBinding" | "RoleBinding" => columns.push(made("Role", |object, _| {
            let role = &object["roleRef"];
            json!(format!("{}/{}", string(&role["kind"]), string(&role["name"])))
        })),
        _ => {}
    }
    columns.push(Column::new("Age", "string", 0, Cell::Age));
    match kind {
        "Service" => columns.push(wide("Selector", |object, _| json!(pairs(&object["spec"]["selector"])))),
        "Deployment" | "ReplicaSet" | "DaemonSet" => pods(&mut columns),
        _ => {}
    }
    columns
}

fn text(name: &str, pointer: &'static str, absent: &'static str) -> Column {
    Column::new(name, "string", 0, Cell::Text(pointer, absent))
}

fn count(name: &str, pointer: &'static str) -> Column {
    Column::new(name, "integer", 0, Cell::Count(pointer))
}

fn made(name: &str, cell: fn(&Value, Timestamp) -> Value) -> Column {
    Column::new(name, "string", 0, Cell::Made(cell))
}

fn wide(name: &str, cell: fn(&Value, Timestamp) -> Value) -> Column {
    Column::new(name, "string", 1, Cell::Made(cell))
}

fn service(columns: &mut Vec<Column>) {
    columns.push(text("Type", "/spec/type", ""));
    columns.push(text("Cluster-IP", "/spec/clusterIPs/0", "<none>"));
    columns.push(made("External-IP", |object, _| json!(outside(object))));
    columns.push(made("Port(s)", |object, _| {
        let ports: Vec<String> = items(&object["spec"]["ports"]).iter().map(port).collect();
        json!(or_none(ports.join(",")))
    }));
}

fn port(port: &Value) -> String {
    let node = port["nodePort"].as_u64().filter(|node| *node > 0);
    let node = node.map(|node| format!(":{node}")).unwrap_or_default();
    format!("{}{node}/{}", port["port"], string(&port["protocol"]))
}

/// Addresses of a Service outside the cluster.
fn outside(object: &Value) -> String {
    let spec = &object["spec"];
    let own = items(&spec["externalIPs"]).iter().map(string);
    let balancer = items(&object["status"]["loadBalancer"]["ingress"]).iter();
    let balancer = balancer.map(|entry| {
        string(if entry["ip"].is_string() {
            &entry["ip"]
        } else {
            &entry["hostname"]
        })
    });
    match string(&spec["type"]) {
        "ExternalName" => string(&spec["externalName"]).to_owned(),
        "LoadBalancer" => {
            let all = balancer.chain(own).collect::<Vec<_>>().join(",");
            if all.is_empty() { "<pending>".to_owned() } else { all }
        }
        _ => or_none(own.collect::<Vec<_>>().join(",")),
    }
}

fn deployment(columns: &mut Vec<Column>) {
    columns.push(made("Ready", |object, _| {
        let number = |part: &str, field: &str| object[part][field].as_i64().unwrap_or_default();
        json!(format!(
            "{}/{}",
            number("status", "readyReplicas"),
            number("spec", "replicas")
        ))
    }));
    columns.push(count("Up-to-date", "/status/updatedReplicas"));
    columns.push(count("Available", "/status/availableReplicas"));
}

fn daemon_set(columns: &mut Vec<Column>) {
    columns.push(count("Desired", "/status/desiredNumberScheduled"));
    columns.push(count("Current", "/status/currentNumberScheduled"));
    columns.push(count("Ready", "/status/numberReady"));
    columns.push(count("Up-to-date", "/status/updatedNumberScheduled"));
    columns.push(count("Available", "/status/numberAvailable"));
    columns.push(made("Node Selector", |object, _| {
        json!(pairs(&object["spec"]["template"]["spec"]["nodeSelector"]))
    }));
}

/// The wide columns of everything that has a pod template.
fn pods(columns: &mut Vec<Column>) {
    fn each(object: &Value, field: &str) -> String {
        let containers = items(&object["spec"]["template"]["spec"]["containers"]);
        let texts: Vec<&str> = containers.iter().map(|container| string(&container[field])).collect();
        texts.join(",")
    }
    columns.push(wide("Containers", |object, _| json!(each(object, "name"))));
    columns.push(wide("Images", |object, _| json!(each(object, "image"))));
    columns.push(wide("Selector", |object, _| {
        json!(pairs(&object["spec"]["selector"]["matchLabels"]))
    }));
}

fn autoscaler(columns: &mut Vec<Column>) {
    columns.push(made("Reference", |object, _| {
        let target = &object["spec"]["scaleTargetRef"];
        json!(format!("{}/{}", string(&target["kind"]), string(&target["name"])))
    }));
    columns.push(made("Targets", |object, _| {
        let metrics: Vec<String> = items(&object["spec"]["metrics"]).iter().map(goal).collect();
        json!(or_none(metrics.join(", ")))
    }));
    columns.push(made("MinPods", |object, _| {
        match object["spec"]["minReplicas"].as_i64() {
            Some(least) => json!(least.to_string()),
            None => json!("<unset>"),
        }
    }));
    columns.push(count("MaxPods", "/spec/maxReplicas"));
    columns.push(count("Replicas", "/status/currentReplicas"));
}

/// One metric of an autoscaler. Nothing measures here, so the present value is never known.
fn goal(metric: &Value) -> String {
    let resource = &metric["resource"];
    if !resource.is_object() {
        return "<unknown>/<unknown>".to_owned();
    }
    let target = &resource["target"];
    let wanted = match target["averageUtilization"].as_i64() {
        Some(percent) => format!("{percent}%"),
        None => target["averageValue"].as_str().unwrap_or("<auto>").to_owned(),
    };
    format!("{}: <unknown>/{wanted}", string(&resource["name"]))
}

fn ingress(columns: &mut Vec<Column>) {
    columns.push(text("Class", "/spec/ingressClassName", "<none>"));
    columns.push(made("Hosts", |object, _| {
        let hosts = items(&object["spec"]["rules"]).iter().map(|rule| string(&rule["host"]));
        let hosts: Vec<&str> = hosts.filter(|host| !host.is_empty()).collect();
        let shown = hosts.get(..HOSTS).unwrap_or(&hosts).join(",");
        json!(match hosts.len() {
            0 => "*".to_owned(),
            1..=HOSTS => shown,
            more => format!("{shown} + {} more...", more - HOSTS),
        })
    }));
    columns.push(made("Address", |object, _| {
        let entries = items(&object["status"]["loadBalancer"]["ingress"]).iter();
        let addresses: Vec<&str> = entries.map(|entry| string(&entry["ip"])).collect();
        json!(addresses.join(","))
    }));
    columns.push(made("Ports", |object, _| {
        json!(if items(&object["spec"]["tls"]).is_empty() {
            "80"
        } else {
            "80, 443"
        })
    }));
}

fn event() -> Vec<Column> {
    let mut name = Column::new("Name", "string", 1, Cell::Name);
    name.priority = 1;
    vec![
        made("Last Seen", |object, now| {
            let last = &object["lastTimestamp"];
            json!(age(if last.is_string() { last } else { first(object) }, now))
        }),
        text("Type", "/type", ""),
        text("Reason", "/reason", ""),
        made("Object", |object, _| {
            let subject = &object["involvedObject"];
            json!(format!(
                "{}/{}",
                string(&subject["kind"]).to_lowercase(),
                string(&subject["name"])
            ))
        }),
        wide("Subobject", |object, _| {
            json!(string(&object["involvedObject"]["fieldPath"]))
        }),
        wide("Source", |object, _| {
            let either = |old: &Value, new: &str| match string(old) {
                "" => string(&object[new]).to_owned(),
                known => known.to_owned(),
            };
            let component = either(&object["source"]["component"], "reportingComponent");
            let host = either(&object["source"]["host"], "reportingInstance");
            json!(if host.is_empty() {
                component
            } else {
                format!("{component}, {host}")
            })
        }),
        made("Message", |object, _| json!(string(&object["message"]).trim())),
        wide("First Seen", |object, now| json!(age(first(object), now))),
        wide("Count", |object, _| json!(object["count"].as_i64().unwrap_or(1))),
        name,
    ]
}

fn first(event: &Value) -> &Value {
    let first = &event["firstTimestamp"];
    if first.is_string() { first } else { &event["eventTime"] }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn size(value: &Value) -> usize {
    value.as_object().map_or(0, serde_json::Map::len)
}

fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text }
}

/// Labels as `a=b,c=d`.
fn pairs(labels: &Value) -> String {
    let labels = labels.as_object().into_iter().flatten();
    let pairs: Vec<String> = labels.map(|(key, value)| format!("{key}={}", string(value))).collect();
    or_none(pairs.join(","))
}
