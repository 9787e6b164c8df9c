use super::*;
use crds::Canary;
use serde_json::json;

fn config_map(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": data})
}

fn secret(kind: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cred"}, "type": kind})
}

fn canary(name: &str, uid: &str) -> Canary {
    serde_json::from_value(json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": name, "namespace": "shop", "uid": uid},
        "spec": {"targetRef": {"kind": "Deployment", "name": name}}
    }))
    .unwrap()
}

fn template() -> Value {
    json!({"spec": {
        "imagePullSecrets": [{"name": "regcred"}],
        "volumes": [
            {"name": "a", "configMap": {"name": "vol"}},
            {"name": "b", "secret": {"secretName": "vol"}},
            {"name": "c", "projected": {"sources": [
                {"configMap": {"name": "pro", "optional": true}}, {"secret": {"name": "pro"}}, {"serviceAccountToken": {"path": "t"}}]}},
            {"name": "d", "persistentVolumeClaim": {"claimName": "vol"}},
            {"name": "e", "csi": {"driver": "x", "nodePublishSecretRef": {"name": "csi"}}}
        ],
        "containers": [{"name": "web", "env": [
            {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "env", "key": "a"}}},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "env", "key": "b", "optional": true}}},
            {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "x"}}},
            {"name": "D", "value": "env"}],
            "envFrom": [{"configMapRef": {"name": "from"}}, {"secretRef": {"name": "from"}}, {"configMapRef": {"name": ""}}]}],
        "initContainers": [{"name": "init", "envFrom": [{"configMapRef": {"name": "pro"}}, {"secretRef": {"name": "vol", "optional": true}}]}]
    }})
}

#[test]
fn every_place_is_followed_and_the_last_one_decides() {
    let found: Vec<_> = references(&template(), "shop")
        .iter()
        .map(|r| (r.key(), r.optional))
        .collect();
    let expected = [
        ("configmap/env", false),
        ("configmap/from", false),
        ("configmap/pro", false), // optional in the volume, needed by the init container
        ("configmap/vol", false),
        ("secret/env", true),
        ("secret/from", false),
        ("secret/pro", false),
        ("secret/vol", true), // needed by the volume, optional in the init container
    ];
    assert_eq!(found, expected.map(|(key, optional)| (key.to_owned(), optional)));
    assert_eq!(references(&json!({}), "shop"), []);
    assert_eq!(
        references(&json!({"spec": {"volumes": "odd", "containers": [null, 1]}}), "shop"),
        []
    );
}

#[test]
fn only_tracked_names_are_rewritten() {
    let mut rewritten = template();
    let tracked = [
        kinds::CONFIG_MAP.named("shop", "pro"),
        kinds::SECRET.named("shop", "vol"),
        kinds::CONFIG_MAP.named("shop", "env"),
        kinds::SECRET.named("shop", "from"),
        kinds::SECRET.named("shop", "regcred"),
        kinds::SECRET.named("shop", "csi"),
    ];
    let tracked = tracked.into_iter().collect();
    rewrite(&mut rewritten, &tracked);
    let mut expected = template();
    for (pointer, name) in [
        ("/spec/volumes/1/secret/secretName", "vol-primary"),
        ("/spec/volumes/2/projected/sources/0/configMap/name", "pro-primary"),
        ("/spec/containers/0/env/0/valueFrom/configMapKeyRef/name", "env-primary"),
        ("/spec/containers/0/envFrom/1/secretRef/name", "from-primary"),
        ("/spec/initContainers/0/envFrom/0/configMapRef/name", "pro-primary"),
        ("/spec/initContainers/0/envFrom/1/secretRef/name", "vol-primary"),
    ] {
        *expected.pointer_mut(pointer).unwrap() = json!(name);
    }
    assert_eq!(rewritten, expected);
    assert_eq!(without_suffix(rewritten.clone()), template());
    rewrite(&mut rewritten, &tracked);
    assert_eq!(
        rewritten, expected,
        "names that have the suffix already are other names"
    );
}

#[test]
fn checksums_are_those_of_the_peer() {
    for (object, expected) in [
        (json!({"kind": "ConfigMap"}), "74234e98afe7498f"),
        (config_map(&Value::Null), "74234e98afe7498f"),
        (config_map(&json!({"color": "red"})), "241889ca0604e333"),
        (
            config_map(&json!({"output": "console", "color": "blue"})),
            "2a4ac3890a3db504",
        ),
        (config_map(&json!({"color": "blue"})), "f234cb93c08ad64e"),
        (config_map(&json!({"LOG": "debug"})), "8f978b85022aff1f"),
        (config_map(&json!({"LOG": "info"})), "ae569c93ad7bde9b"),
        (
            config_map(&json!({"a": "<tag> & x", "b": "line1\nline2"})),
            "ab27280aa10762f5",
        ),
        (config_map(&json!({"z": "1", "uni": "é"})), "0cc5d5033caa1fb9"),
        (
            json!({"type": "Opaque", "data": {"apiKey": "dGVzdA=="}}),
            "3930f0692c2295eb",
        ),
        (
            json!({"type": "Opaque", "data": {"password": "czNjcjN0"}}),
            "333b39b9b276af7b",
        ),
        (json!({"type": "Opaque", "data": {"color": "cmVk"}}), "3247247e8ea3186d"),
        (
            json!({"type": "Opaque", "data": {"color": "Ymx1ZQ=="}}),
            "33a394de68bcb8a9",
        ),
    ] {
        assert_eq!(digest(&object).checksum, expected, "{object}");
    }
}

#[test]
fn control_characters_are_escaped_as_go_does() {
    let data = json!({"k\"\\": "\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}\u{2028}\u{2029}/"});
    let text = "{\"k\\\"\\\\\":\"\\b\\f\\n\\r\\t\\u0000\\u001f\u{7f}\\u2028\\u2029/\"}";
    let expected = {
        use sha2::Digest as _;
        crate::revision::hex(&sha2::Sha256::digest(text)[..8])
    };
    assert_eq!(digest(&config_map(&data)).checksum, expected);
}

#[test]
fn binary_data_counts_when_there_is_some() {
    let plain = config_map(&json!({"color": "red"}));
    let mut binary = plain.clone();
    binary["binaryData"] = json!({});
    assert_eq!(digest(&binary), digest(&plain));
    binary["binaryData"] = json!({"logo": "AAEC"});
    let first = digest(&binary).checksum;
    assert_ne!(first, digest(&plain).checksum);
    binary["binaryData"] = json!({"logo": "AAED"});
    assert_ne!(digest(&binary).checksum, first);
}

#[test]
fn tracking_can_be_declined_and_is_for_some_types_only() {
    let annotated = |value: &str| json!({"metadata": {"annotations": {"flagger.app/config-tracking": value}}});
    for (object, expected) in [
        (config_map(&Value::Null), true),
        (annotated("disabled"), false),
        (annotated("disable"), false),
        (annotated("enabled"), true),
        (annotated("Disabled"), true),
        (secret("Opaque"), true),
        (secret("kubernetes.io/basic-auth"), true),
        (secret("kubernetes.io/ssh-auth"), true),
        (secret("kubernetes.io/tls"), true),
        (secret("kubernetes.io/dockerconfigjson"), false),
        (secret("kubernetes.io/service-account-token"), false),
        (secret("helm.sh/release.v1"), false),
        (json!({"kind": "Secret", "metadata": {"name": "cred"}}), true),
    ] {
        assert_eq!(is_tracked(&object), expected, "{object}");
        assert_eq!(digest(&object).tracked, expected, "{object}");
    }
}

#[test]
fn changes_are_told_from_the_stored_checksums() {
    let map = |entries: &[(&str, &str)]| -> BTreeMap<String, String> {
        entries
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    let one = map(&[("configmap/a", "1")]);
    for (stored, now, expected) in [
        (None, map(&[]), false),
        (None, one.clone(), true),
        (Some(map(&[])), map(&[]), false),
        (Some(map(&[])), one.clone(), true),
        (Some(one.clone()), map(&[]), true),
        (Some(one.clone()), one.clone(), false),
        (Some(one.clone()), map(&[("configmap/a", "2")]), true),
        (Some(one.clone()), map(&[("secret/a", "1")]), true),
        (Some(one.clone()), map(&[("configmap/a", "1"), ("secret/b", "1")]), true),
    ] {
        assert_eq!(changed(stored.as_ref(), &now), expected, "{stored:?} {now:?}");
    }
}

#[test]
fn a_copy_has_content_type_labels_by_prefix_and_an_owner() {
    let source = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "web-cfg", "namespace": "shop", "uid": "1", "resourceVersion": "7",
            "labels": {"team.example/owner": "cart", "app": "web"}, "annotations": {"why": "x"}},
        "data": {"LOG": "debug"}, "binaryData": {"logo": "AAEC"}, "immutable": true
    });
    let prefixes = ["team.example/".to_owned()];
    let first = copy(&canary("web", "c0ffee"), &source, None, &prefixes);
    let expected = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "web-cfg-primary", "namespace": "shop", "labels": {"team.example/owner": "cart"},
            "ownerReferences": [{"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "web", "uid": "c0ffee",
                "controller": true, "blockOwnerDeletion": true}]},
        "data": {"LOG": "debug"}, "binaryData": {"logo": "AAEC"}
    });
    assert_eq!(first, expected);
    assert_eq!(
        copy(&canary("web", "c0ffee"), &source, Some(&first), &prefixes),
        first,
        "idempotent"
    );

    let mut secret = secret("kubernetes.io/tls");
    secret["data"] = json!({"tls.crt": "AA=="});
    let made = copy(&canary("web", "c0ffee"), &secret, None, &[]);
    assert_eq!(made["kind"], "Secret");
    assert_eq!(made["type"], "kubernetes.io/tls");
    assert_eq!(made["data"], secret["data"]);
    assert!(made["metadata"].get("labels").is_none());
}

#[test]
fn a_shared_copy_keeps_its_other_owners_and_what_others_put_on_it() {
    let source = config_map(&json!({"color": "blue"}));
    let mut current = copy(&canary("one", "1"), &config_map(&json!({"color": "red"})), None, &[]);
    current["metadata"]["resourceVersion"] = json!("9");
    current["metadata"]["annotations"] = json!({"backup.example/include": "yes"});
    current["metadata"]["labels"] = json!({"foreign": "yes"});
    current["binaryData"] = json!({"old": "AA=="});
    let shared = copy(&canary("two", "2"), &source, Some(&current), &[]);
    let owners = &shared["metadata"]["ownerReferences"];
    assert_eq!(owners[0]["name"], "two");
    assert_eq!(owners[0]["controller"], true);
    assert_eq!(owners[1]["name"], "one");
    assert_eq!(owners[1]["controller"], false);
    assert_eq!(shared["metadata"]["annotations"], current["metadata"]["annotations"]);
    assert_eq!(shared["metadata"]["labels"], current["metadata"]["labels"]);
    assert_eq!(shared["metadata"]["resourceVersion"], "9");
    assert_eq!(shared["data"], json!({"color": "blue"}));
    assert!(shared.get("binaryData").is_none());

    let again = copy(&canary("one", "new uid"), &source, Some(&shared), &[]);
    let names: Vec<_> = again["metadata"]["ownerReferences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| &o["name"])
        .collect();
    assert_eq!(names, ["one", "two"], "a Canary made anew replaces its old self");
}
