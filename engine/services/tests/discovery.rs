//! Which container ports are published.

use super::*;

/// workloads.md 15.3, with the collisions of SV-2 and the protocols of SV-3.
#[test]
fn discovers_ports() {
    let three = json!([{"name": "http", "containerPort": 9898}, {"name": "http-metrics", "containerPort": 8080}, {"containerPort": 8888}]);
    let web = json!([{"name": "web", "ports": three}]);
    let dns = json!([
        {"name": "web", "ports": [{"name": "dns", "containerPort": 53}, {"name": "dns-udp", "containerPort": 53, "protocol": "UDP"}, {"containerPort": 99, "protocol": "SCTP"}]},
        {"name": "linkerd-proxy", "ports": [{"containerPort": 4143}]},
    ]);
    let twins = json!([
        {"name": "a", "ports": [{"name": "metrics", "containerPort": 1}]},
        {"name": "b", "ports": [{"name": "metrics", "containerPort": 2}, {"name": "http", "containerPort": 3}]},
    ]);
    let cases: [(Value, &Value, &[&str], usize); 7] = [
        (
            json!({"port": 9898}),
            &web,
            &["http-metrics 8080/TCP", "tcp-web-2 8888/TCP"],
            0,
        ),
        (
            json!({"port": 80, "targetPort": 9898}),
            &web,
            &["http-metrics 8080/TCP", "tcp-web-2 8888/TCP"],
            0,
        ),
        (
            json!({"port": 8080, "targetPort": "http"}),
            &web,
            &["tcp-web-2 8888/TCP"],
            1,
        ),
        // Only the TCP port of that number is the service port.
        (json!({"port": 53}), &dns, &["dns-udp 53/UDP", "sctp-web-2 99/SCTP"], 0),
        (
            json!({"port": 53, "targetPort": "dns"}),
            &dns,
            &["dns-udp 53/UDP", "sctp-web-2 99/SCTP"],
            0,
        ),
        (
            json!({"port": 80}),
            &twins,
            &["http-2 3/TCP", "metrics 1/TCP", "metrics-2 2/TCP"],
            2,
        ),
        (json!({"port": 80, "portDiscovery": false}), &web, &[], 0),
    ];
    for (mut service, containers, expected, notes_len) in cases {
        if service["portDiscovery"].is_null() {
            service["portDiscovery"] = json!(true);
        }
        let (ports, notes) = discovered_ports(&canary(&service), &target(&json!({}), containers));
        let shown: Vec<String> = ports
            .iter()
            .map(|port| format!("{} {}/{}", port.name, port.port, port.protocol))
            .collect();
        assert_eq!(shown, expected, "{service}");
        assert!(ports.iter().all(|port| port.target == port.port), "{service}");
        assert_eq!(notes.len(), notes_len, "{service}: {notes:?}");
    }
}
