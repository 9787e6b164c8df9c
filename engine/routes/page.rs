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
