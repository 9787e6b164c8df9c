//! docs/providers.md: the table of providers for people, made from the one that the code uses.

use super::{Provider, providers};

const HEAD: &str = "\
# Providers of traffic

<!-- Made by `aviary providers`; a test keeps it equal. Edit engine/routes, then: aviary providers > docs/providers.md -->

A provider is chosen by `spec.provider` of a Canary, else by the flag `-mesh-provider`. The kinds in the second column must be installed
where a Canary uses the provider; without them the Canary says so, and goes on when they come. How to add one:
[adding-a-provider.md](adding-a-provider.md).

";

const MEANING: &str = "
An analysis that the provider cannot run (weights, A/B, mirror, affinity) is refused with the condition `Accepted=False` and an Event, before
anything is changed. Options of `spec.service` that it cannot do stop nothing; a Warning names them at the start of each run.

| column | what it stands for |
|---|---|
| weights | `analysis.stepWeight`, `stepWeights`: a share of the traffic. Blue/green works everywhere |
| A/B | `analysis.match`: chosen requests go to the canary |
| mirror, mirror % | `analysis.mirror`, and a part of the requests by `analysis.mirrorWeight` |
| affinity | `analysis.sessionAffinity` |
| headers, retries, timeouts, CORS, delegation | `service.headers`, `retries`, `timeout`, `corsPolicy`, `delegation` |
| revert | `revertOnDeletion` gives an object that was there before the Canary back what it said |
| gRPC | routes that are made for gRPC, or documented to carry it |
| TCP | TCP connections are shared by weight |

## Notes

";

const TAIL: &str = "
`supergloo` of the v1alpha3 documents is refused: the project is gone. Write `gloo` for the gateway, or the provider of the mesh behind it.
";

const TRIED: &str = "
## Tried with real requests

`tests/run plane` runs podinfo's processes as pods, real proxies in front of them and users all the time, and counts what the users see: through
initialisation, every weight, promotion, a rollback by metrics, one by hand, and the deletion with `revertOnDeletion`.

| provider | proxy | tried |
|---|---|---|
| `gatewayapi:v1` | Traefik 3.6.12 | requests arrive in the share of the weight, at 0 none at all; matches by header and by cookie; judged by a MetricTemplate over the pods' own metrics |
| `traefik` | Traefik 3.6.12 | the same without matches; judged by the builtin checks |
| `gatewayapi:v1` | nginx 1.22, told by the test what the HTTPRoute says | cookies keep users on their side and are taken back; a part of the requests is mirrored |

Traefik 3.6 leaves out the filters of backends (no session affinity) and refuses routes with RequestMirror. The other providers have no line here:
their objects are checked on a real API server with the products' own definitions, but no request has gone through them. Skipper could not be
had as a Go module. Contour can, and Envoy as a wheel of PyPI: they are next. For the others nothing was tried.

No request fails while pods come and go if the pods are made for it, as for every rolling update: the proxy learns of them from
EndpointSlices, a moment later than the kubelet. In the test they have `lifecycle.preStop.sleep` of 5 s: a pod that goes still answers until
the proxy has heard of it (Traefik looks every 2 s).

For pods that come nothing is needed: before a version gets its first users Aviary asks the API server once whether its Service has a ready
address, and waits for it, for a new primary at most 30 s, for a canary 5 s beyond its interval. On a starved machine the addresses of a new
primary were once published half a minute after its Deployment called it available.
";

/// The page, in Markdown.
pub fn page() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("| provider | kinds | for |\n|---|---|---|\n");
    for provider in providers() {
        push(
            &mut text,
            &format!("| `{}` | {} | {} |", provider.name, kinds(provider), provider.about),
        );
    }
    text.push_str("\n## What each can do\n\n");
    push(&mut text, &abilities());
    text.push_str(MEANING);
    for provider in providers().iter().filter(|provider| !provider.notes.is_empty()) {
        push(&mut text, &format!("- `{}`: {}", provider.name, provider.notes));
    }
    text.push_str(TRIED);
    text.push_str(TAIL);
    text
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn kinds(provider: &Provider) -> String {
    let each = provider
        .kinds
        .iter()
        .map(|kind| format!("{} {}", kind.kind, kind.api_version()));
    let each: Vec<String> = each.collect();
    if each.is_empty() {
        "none".to_owned()
    } else {
        each.join(", ")
    }
}

fn abilities() -> String {
    let columns = |provider: &Provider| provider.capabilities.columns();
    let names: Vec<&str> = super::Capabilities::NONE
        .columns()
        .iter()
        .map(|(name, _)| *name)
        .collect();
    let mut lines = vec![
        format!("| provider | {} |", names.join(" | ")),
        format!("|---|{}", ":-:|".repeat(names.len())),
    ];
    for provider in providers() {
        let marks = columns(provider).map(|(_, can)| if can { "yes" } else { "-" });
        lines.push(format!("| `{}` | {} |", provider.name, marks.join(" | ")));
    }
    lines.join("\n")
}
