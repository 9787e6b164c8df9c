use super::{Builtin, Source, ask_server, plan, probe_server, probes, server, sources};
use crate::Settings;
use crds::{
    Canary, CanarySpec,
    analysis::{Analysis, CrossNamespaceRef, Metric},
};

fn metric(name: &str, query: Option<&str>, template: Option<(&str, Option<&str>)>) -> Metric {
    Metric {
        name: name.into(),
        query: query.map(String::from),
        template_ref: template.map(|(name, namespace)| CrossNamespaceRef {
            name: name.into(),
            namespace: namespace.map(String::from),
        }),
        ..Metric::default()
    }
}

fn template(namespace: &str, name: &str) -> Source {
    Source::Template {
        namespace: namespace.into(),
        name: name.into(),
    }
}

#[test]
fn one_entry_can_ask_for_several_checks() {
    let both = metric("request-duration", Some("up"), Some(("t", None)));
    let expected = vec![
        Source::Builtin(Builtin::Duration),
        Source::Inline("up".into()),
        template("home", "t"),
    ];
    assert_eq!(sources(&both, "home"), expected);
    assert_eq!(sources(&metric("x", Some(""), None), "home"), vec![Source::Nothing]);
    assert_eq!(
        sources(&metric("x", None, Some(("t", Some("")))), "home"),
        vec![template("home", "t")]
    );
    let foreign = &sources(&metric("x", None, Some(("t", Some("away")))), "home")[0];
    assert!(foreign.is_foreign("home"));
    assert_eq!(foreign.template().unwrap().to_string(), "MetricTemplate t.away");
}

#[test]
fn templates_come_after_all_own_queries() {
    let mut canary = Canary::new("app", CanarySpec::default());
    canary.metadata.namespace = Some("home".into());
    canary.spec.analysis = Some(Analysis {
        metrics: vec![
            metric("a", None, Some(("t", None))),
            metric("nothing", None, None),
            metric("request-success-rate", None, Some(("t2", None))),
            metric("b", Some("up"), None),
        ],
        ..Analysis::default()
    });
    let order: Vec<_> = plan(&canary)
        .into_iter()
        .map(|(metric, source)| (metric.name.as_str(), source))
        .collect();
    let expected = [
        ("request-success-rate", Source::Builtin(Builtin::SuccessRate)),
        ("b", Source::Inline("up".into())),
        ("a", template("home", "t")),
        ("nothing", Source::Nothing),
        ("request-success-rate", template("home", "t2")),
    ];
    assert_eq!(order, expected);
}

#[test]
fn the_canarys_server_wins() {
    let settings = Settings::default();
    let mut canary = Canary::new("app", CanarySpec::default());
    assert_eq!(server(&canary, &settings), "http://prometheus:9090");
    canary.spec.metrics_server = Some("http://own".into());
    assert_eq!(server(&canary, &settings), "http://own");
    let asked = ask_server(&canary, &settings, "up").unwrap();
    assert_eq!(asked.url, "http://own/api/v1/query?query=up");
    assert!(
        probe_server(&canary, &settings)
            .unwrap()
            .url
            .ends_with("query=vector%281%29")
    );
}

#[test]
fn each_provider_is_probed_once() {
    let mut canary = Canary::new("app", CanarySpec::default());
    canary.metadata.namespace = Some("home".into());
    canary.spec.analysis = Some(Analysis {
        metrics: vec![
            metric("inline", Some("up"), None),
            metric("request-duration", None, Some(("hidden", None))),
            metric("a", Some("up"), Some(("t", None))),
            metric("b", None, Some(("t", Some("home")))),
            metric("request-success-rate", None, None),
            metric("c", None, Some(("t", Some("away")))),
            metric("nothing", None, None),
        ],
        ..Analysis::default()
    });
    let found: Vec<_> = probes(&canary).into_iter().map(|(_, source)| source).collect();
    let expected = [
        Source::Builtin(Builtin::Duration),
        template("home", "t"),
        template("away", "t"),
    ];
    assert_eq!(found, expected);
}
