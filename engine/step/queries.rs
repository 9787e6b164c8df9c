//! From the metrics of a canary to the questions for metrics servers: builtin and inline queries, and MetricTemplates with their Secrets.

use crds::{MetricTemplate, analysis::Metric};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

use super::{Cx, Flow, configs};
use crate::{
    ObjectRef,
    metrics::{
        self, Model, Question as Inquired, Source,
        observers::{knative_revision, knative_service},
        prometheus::{self, Auth},
        provider::{BadProvider, Inquiry, Provider, provider, secret_ref},
    },
    seam::{Ask, Outcome, Seen},
};

/// A metric whose question is known, or the cause why there is none.
pub(super) struct Question<'m> {
    pub(super) metric: &'m Metric,
    pub(super) source: Source,
    pub(super) asked: Result<(Inquired, Reader), String>,
}

/// What reads the answer.
#[derive(Clone, Copy)]
pub(super) enum Reader {
    Prometheus,
    Provider(&'static Provider),
}

/// What is asked: the metric itself, or only whether its server works.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    Value,
    Probe,
}

/// The questions of all checks, in the order of a tick. Secrets that templates need are read first, all at once.
pub(super) fn questions<'m>(cx: &mut Cx<'m>, aim: Aim) -> Flow<Vec<Question<'m>>> {
    let plan = metrics::plan(cx.canary);
    let templates: Vec<Option<Result<Template, String>>> = plan
        .iter()
        .map(|(_, source)| source.template().map(|at| template(cx, source, &at)))
        .collect();
    let secrets = secrets(cx, &templates)?;
    let route = route(cx, aim)?;
    let mut questions = Vec::new();
    for ((metric, source), template) in plan.into_iter().zip(templates) {
        let asked = match template {
            None => own_query(cx, metric, &source, aim, &route),
            Some(Err(cause)) => Err(cause),
            Some(Ok(template)) => {
                let secret = template.secret.as_ref().and_then(|at| secrets.get(at));
                templated(cx, metric, &template, secret.map(|secret| &**secret), aim, &route)
            }
        };
        questions.push(Question { metric, source, asked });
    }
    Ok(questions)
}

/// What to tell about the first metric whose question cannot be made. Secrets are left out, as reading them costs a request.
pub(super) fn unusable(cx: &Cx<'_>) -> Option<String> {
    if let Some(odd) = metrics::policy::unreadable(cx.canary) {
        return Some(odd);
    }
    metrics::plan(cx.canary).into_iter().find_map(|(metric, source)| {
        let made = match source.template() {
            None => own_query(cx, metric, &source, Aim::Value, &Ok(None)).map(drop),
            Some(at) => template(cx, &source, &at).and_then(|template| renders(cx, metric, &template)),
        };
        Some(metrics::texts::unusable(metric, &source, &made.err()?))
    })
}

/// Whether a question can be made of it, as far as that can be told without the Secret (AN-28).
fn renders(cx: &Cx<'_>, metric: &Metric, template: &Template) -> Result<(), String> {
    let spec = &template.object.spec;
    let provider = provider(&spec.provider.kind).map_err(|error| error.to_string())?;
    let model = Model::of(cx.canary, metric);
    let query = metrics::render(&spec.query, &model).map_err(|error| error.to_string())?;
    let inquiry = Inquiry {
        spec: &spec.provider,
        secret: None,
        query: &query,
        interval: &model.interval,
        now: cx.now,
    };
    match (provider.request)(&inquiry) {
        Ok(_) | Err(BadProvider::NoSecret(_)) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

struct Template {
    object: MetricTemplate,
    secret: Option<ObjectRef>,
}

fn template(cx: &Cx<'_>, source: &Source, at: &ObjectRef) -> Result<Template, String> {
    if cx.settings.no_cross_namespace_refs && source.is_foreign(cx.canary.namespace()) {
        return Err("references to other namespaces are not allowed".into());
    }
    let Seen::Present(raw) = cx.object(at) else {
        return Err(format!("{at} not found"));
    };
    let object: MetricTemplate = crds::decode::decode(&raw).map_err(|error| error.to_string())?;
    let secret = secret_ref(&object.spec.provider, &at.namespace);
    Ok(Template { object, secret })
}

fn secrets(cx: &mut Cx<'_>, templates: &[Option<Result<Template, String>>]) -> Flow<BTreeMap<ObjectRef, Arc<Value>>> {
    let usable = templates.iter().flatten().flatten();
    let mut refs: Vec<ObjectRef> = usable.filter_map(|template| template.secret.clone()).collect();
    refs.sort();
    refs.dedup();
    let outcomes = cx.ask(refs.iter().cloned().map(Ask::Read).collect())?;
    let mut found = BTreeMap::new();
    for (at, outcome) in refs.into_iter().zip(outcomes) {
        if let Some(secret) = configs::read(cx, &at, outcome)? {
            found.insert(at, secret);
        }
    }
    Ok(found)
}

/// What stands in for the name of the route, if anything does, or why it is not known.
type Route = Result<Option<String>, String>;

/// With Knative the route is the newest revision, which is looked up for each check (analysis.md 2.8).
fn route(cx: &mut Cx<'_>, aim: Aim) -> Flow<Route> {
    let has_metrics = cx
        .canary
        .spec
        .analysis
        .as_ref()
        .is_some_and(|analysis| !analysis.metrics.is_empty());
    if aim == Aim::Probe || !has_metrics || metrics::provider_name(cx.canary, cx.settings) != "knative" {
        return Ok(Ok(None));
    }
    let at = knative_service(cx.canary.namespace(), &cx.canary.spec.target_ref.name);
    let service = match cx.ask(vec![Ask::Read(at.clone())])?.pop() {
        Some(Outcome::Read(Ok(Some(service)))) => service,
        Some(Outcome::Read(Err(trouble))) => return Ok(Err(format!("{at}: {trouble}"))),
        _ => return Ok(Err(format!("{at} not found"))),
    };
    Ok(knative_revision(&service).map(Some))
}

fn model(cx: &Cx<'_>, metric: &Metric, route: &Route) -> Result<Model, String> {
    let mut model = Model::of(cx.canary, metric);
    if let Some(route) = route.as_ref().map_err(Clone::clone)? {
        route.clone_into(&mut model.route);
    }
    Ok(model)
}

/// A builtin or inline query, for the canary's metrics server.
fn own_query(
    cx: &Cx<'_>,
    metric: &Metric,
    source: &Source,
    aim: Aim,
    route: &Route,
) -> Result<(Inquired, Reader), String> {
    let server = metrics::server(cx.canary, cx.settings);
    let open = (&Auth::Open, &BTreeMap::new());
    if aim == Aim::Probe {
        let request = prometheus::availability_request(server, open.0, open.1, false);
        return request
            .map(|request| (Inquired::open(request), Reader::Prometheus))
            .map_err(|error| error.to_string());
    }
    let model = model(cx, metric, route)?;
    let query = match source {
        Source::Builtin(builtin) => metrics::observer(cx.canary, cx.settings).query(*builtin, &model),
        Source::Inline(text) => metrics::render(text, &model).map_err(|error| error.to_string())?,
        Source::Template { .. } | Source::Nothing => return Err("no usable template or query".into()),
    };
    let request = prometheus::request(server, &query, open.0, open.1, false).map_err(|error| error.to_string())?;
    Ok((Inquired::open(request), Reader::Prometheus))
}

fn templated(
    cx: &Cx<'_>,
    metric: &Metric,
    template: &Template,
    secret: Option<&Value>,
    aim: Aim,
    route: &Route,
) -> Result<(Inquired, Reader), String> {
    let spec = &template.object.spec;
    let provider = provider(&spec.provider.kind).map_err(|error| error.to_string())?;
    let model = model(cx, metric, route)?;
    let query = match aim {
        Aim::Value => metrics::render(&spec.query, &model).map_err(|error| error.to_string())?,
        Aim::Probe => String::new(),
    };
    let inquiry = Inquiry {
        spec: &spec.provider,
        secret,
        query: &query,
        interval: &model.interval,
        now: cx.now,
    };
    let question = provider.ask(&inquiry, aim == Aim::Probe);
    let question = question.map_err(|error| error.to_string())?;
    Ok((question, Reader::Provider(provider)))
}
