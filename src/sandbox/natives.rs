//! The schemas of the builtin kinds, as k8s-openapi knows them: fields, types and descriptions, without formats of validation.

use super::kinds::Resource;
use k8s_openapi::api::{apps, autoscaling, coordination, core, events, networking, rbac};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions;
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::OnceLock};

/// Where schemas are in an OpenAPI document.
pub(super) const PLACE: &str = "#/components/schemas/";

/// Types of CRDs that may be of several JSON types.
const FREE: [&str; 4] = [
    "JSON",
    "JSONSchemaPropsOrArray",
    "JSONSchemaPropsOrBool",
    "JSONSchemaPropsOrStringArray",
];

/// All builtin schemas.
struct Natives {
    schemas: BTreeMap<String, Value>,
    /// Names of the schemas of kinds, by apiVersion and kind.
    roots: BTreeMap<(String, String), String>,
}

/// All schemas by name, to resolve references in.
pub(super) fn schemas() -> &'static BTreeMap<String, Value> {
    &natives().schemas
}

/// Name of the schema of a builtin kind.
pub(super) fn name(resource: &Resource) -> Option<&'static str> {
    let key = (resource.api_version(), resource.kind.clone());
    natives().roots.get(&key).map(String::as_str)
}

/// Schema of objects of this kind: of its CRD or a builtin one; `None` for kinds that are served without a schema.
pub(super) fn schema(resource: &Resource) -> Option<&Value> {
    if let Some(definition) = &resource.definition {
        return Some(definition.schema());
    }
    name(resource).and_then(|name| schemas().get(name))
}

/// Follow references to the schema that says something.
pub(super) fn resolve(mut schema: &Value) -> &Value {
    // A reference leads to a schema of a type, which is no reference, so two steps are enough.
    for _ in 0..2 {
        let wrapped = &schema["allOf"][0]["$ref"];
        let reference = schema["$ref"].as_str().or(wrapped.as_str());
        let Some(name) = reference.and_then(|reference| reference.strip_prefix(PLACE)) else {
            break;
        };
        match schemas().get(name) {
            Some(found) => schema = found,
            None => break,
        }
    }
    schema
}

fn natives() -> &'static Natives {
    static NATIVES: OnceLock<Natives> = OnceLock::new();
    NATIVES.get_or_init(|| {
        let mut generator = SchemaGenerator::new(SchemaSettings::openapi3());
        let mut roots = BTreeMap::new();
        root::<core::v1::Namespace>(&mut generator, &mut roots);
        root::<core::v1::Service>(&mut generator, &mut roots);
        root::<core::v1::ConfigMap>(&mut generator, &mut roots);
        root::<core::v1::Secret>(&mut generator, &mut roots);
        root::<core::v1::Event>(&mut generator, &mut roots);
        root::<core::v1::ServiceAccount>(&mut generator, &mut roots);
        root::<events::v1::Event>(&mut generator, &mut roots);
        root::<apps::v1::Deployment>(&mut generator, &mut roots);
        root::<apps::v1::ReplicaSet>(&mut generator, &mut roots);
        root::<apps::v1::DaemonSet>(&mut generator, &mut roots);
        root::<coordination::v1::Lease>(&mut generator, &mut roots);
        root::<autoscaling::v1::Scale>(&mut generator, &mut roots);
        root::<autoscaling::v2::HorizontalPodAutoscaler>(&mut generator, &mut roots);
        root::<networking::v1::Ingress>(&mut generator, &mut roots);
        root::<rbac::v1::ClusterRole>(&mut generator, &mut roots);
        root::<rbac::v1::ClusterRoleBinding>(&mut generator, &mut roots);
        root::<rbac::v1::Role>(&mut generator, &mut roots);
        root::<rbac::v1::RoleBinding>(&mut generator, &mut roots);
        root::<apiextensions::v1::CustomResourceDefinition>(&mut generator, &mut roots);
        let mut schemas: BTreeMap<String, Value> = generator.take_definitions(false).into_iter().collect();
        schemas.values_mut().for_each(wrap_references);
        for (_, schema) in schemas.iter_mut().filter(|(name, _)| is_free(name)) {
            *schema = json!({ "description": schema["description"] });
        }
        for ((api_version, kind), name) in &roots {
            let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
            if let Some(schema) = schemas.get_mut(name) {
                // Rust's types cannot do without metadata; the API can.
                if let Some(required) = schema["required"].as_array_mut() {
                    required.retain(|field| field != "metadata");
                }
                schema["x-kubernetes-group-version-kind"] =
                    json!([{ "group": group, "version": version, "kind": kind }]);
            }
        }
        Natives { schemas, roots }
    })
}

fn is_free(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|name| FREE.contains(&name))
}

fn root<K: JsonSchema + k8s_openapi::Resource>(
    generator: &mut SchemaGenerator,
    roots: &mut BTreeMap<(String, String), String>,
) {
    generator.subschema_for::<K>();
    let key = (K::API_VERSION.to_owned(), K::KIND.to_owned());
    roots.insert(key, K::schema_name().into_owned());
}

/// A reference with a description of its own is written with `allOf`, as the API server writes it.
fn wrap_references(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.len() > 1 && fields.get("$ref").is_some_and(Value::is_string) {
                let reference = fields.remove("$ref").unwrap_or_default();
                fields.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
            }
            fields.values_mut().for_each(wrap_references);
        }
        Value::Array(items) => items.iter_mut().for_each(wrap_references),
        _ => {}
    }
}
