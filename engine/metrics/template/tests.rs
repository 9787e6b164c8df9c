use super::{Model, QUERY_BYTES_MAX, RenderError, TEMPLATE_BYTES_MAX, render};
use crds::{Canary, analysis::Metric};
use serde_json::json;

fn model() -> Model {
    Model {
        kind: "Deployment".into(),
        name: "podinfo".into(),
        namespace: "test".into(),
        target: "podinfo".into(),
        service: "podinfo-svc".into(),
        ingress: "web".into(),
        route: "podinfo".into(),
        interval: "1m".into(),
        variables: [("direction", "inbound"), ("my-key", "7")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    }
}

#[test]
fn templates_of_the_documents_render() {
    let cases = [
        ("up", "up"),
        ("{{ variables.direction }}", "inbound"),
        (
            "{{namespace}}/{{ name }}/{{service}}/{{ingress}}/{{route}}/{{interval}}",
            "test/podinfo/podinfo-svc/web/podinfo/1m",
        ),
        ("{{ printf \"%s-canary\" target }}", "podinfo-canary"),
        ("{{ if eq namespace \"test\" }}a{{ else }}b{{ end }}", "a"),
        (" {{- target -}} x", "podinfox"),
        ("{{ index variables \"my-key\" }}", "7"),
        ("[{{ index variables \"absent\" }}]", "[]"),
        ("{{ len variables }}", "2"),
        (
            "{{ range $k, $v := variables }}{{$k}}={{$v}};{{end}}",
            "direction=inbound;my-key=7;",
        ),
        ("{{ with variables }}{{ .direction }}{{ end }}", "inbound"),
        ("{{ $n := namespace }}{{ $n | printf \"%q\" }}", "\"test\""),
        (
            "sum(rate(x{a=\"{{ target }}\"}[{{ interval }}]))",
            "sum(rate(x{a=\"podinfo\"}[1m]))",
        ),
    ];
    for (template, expected) in cases {
        assert_eq!(render(template, &model()).unwrap(), expected, "{template}");
    }
}

#[test]
fn errors_say_what_and_where() {
    let cases = [
        (
            "a\n {{ variables.nope }}",
            "cannot render the query template, line 2, column 14: map has no entry for key: nope",
        ),
        (
            "{{ .x }}",
            "cannot render the query template, line 1, column 4: map has no entry for key: x",
        ),
        (
            "{{ .x.y }}",
            "cannot render the query template, line 1, column 4: map has no entry for key: x",
        ),
        (
            "{{ $.x }}",
            "cannot render the query template, line 1, column 5: map has no entry for key: x",
        ),
        (
            "{{ define \"t\" }}{{ .x }}{{ end }}{{ template \"t\" }}",
            "cannot render the query template, line 1, column 20: map has no entry for key: x",
        ),
        (
            "{{ name.x }}",
            "cannot render the query template: can't evaluate field x in type string",
        ),
    ];
    for (template, expected) in cases {
        assert_eq!(
            render(template, &model()).unwrap_err().to_string(),
            expected,
            "{template}"
        );
    }
    for template in ["{{ nofunc }}", "{{ if }}", "{{ name", "{{ name }", "{{ \"x", "{{/* x"] {
        let error = render(template, &model()).unwrap_err().to_string();
        assert!(error.contains("line "), "{template}: {error}");
    }
    for template in [
        "x{{ end }}",
        "x{{ end }} or vector(1)",
        "{{ else }}",
        "{{ if name }}a{{ end }}{{ end }}b",
    ] {
        assert!(render(template, &model()).is_err(), "{template}");
    }
    let whole = render("a{{ define \"t\" }}b{{ end -}} ", &model());
    assert_eq!(whole, Ok("a".into()));
}

#[test]
fn nothing_grows_without_bound() {
    let long = "x".repeat(TEMPLATE_BYTES_MAX + 1);
    assert_eq!(
        render(&long, &model()),
        Err(RenderError::TooLong(TEMPLATE_BYTES_MAX + 1))
    );
    let text = "x".repeat(QUERY_BYTES_MAX);
    assert_eq!(render(&text, &model()), Ok(text.clone()));
    for template in [
        format!("{text}x"),
        "{{ range 10000000 }}x{{ end }}".into(),
        "{{ range 10000000 }}{{ end }}".into(),
        "{{ printf \"%60000d\" 1 }}".into(),
    ] {
        assert_eq!(render(&template, &model()), Err(RenderError::TooMuch));
    }
    for template in [
        "{{ define \"t\" }}{{ template \"t\" }}{{ end }}{{ template \"t\" }}".into(),
        format!("{{{{ {}1{} }}}}", "(".repeat(30_000), ")".repeat(30_000)),
        "{{ if 1 }}".repeat(6_000) + &"{{ end }}".repeat(400),
    ] {
        assert!(render(&template, &model()).is_err());
    }
}

#[test]
fn the_model_falls_back_to_the_target() {
    let canary: Canary = crds::decode::decode(&json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "c", "namespace": "ns"},
        "spec": {"targetRef": {"kind": "Deployment", "name": "t"}, "service": {"port": 80}}
    }))
    .unwrap();
    let bare = Model::of(&canary, &Metric::default());
    let names = [
        &bare.name,
        &bare.namespace,
        &bare.target,
        &bare.service,
        &bare.ingress,
        &bare.route,
        &bare.interval,
    ];
    assert_eq!(names, ["c", "ns", "t", "t", "t", "t", "1m"]);
    let canary: Canary = crds::decode::decode(&json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "c", "namespace": "ns"},
        "spec": {
            "targetRef": {"kind": "Deployment", "name": "t"}, "service": {"port": 80, "name": "s"},
            "ingressRef": {"kind": "Ingress", "name": "i"}, "routeRef": {"kind": "ApisixRoute", "name": "r"}
        }
    }))
    .unwrap();
    let metric = Metric {
        interval: Some("30s".into()),
        ..Metric::default()
    };
    let full = Model::of(&canary, &metric);
    assert_eq!(
        [&full.service, &full.ingress, &full.route, &full.interval],
        ["s", "i", "r", "30s"]
    );
}
