use super::*;

/// RI-16.
#[test]
fn the_copy_follows_and_is_not_taken_for_the_original() {
    let original = json!({"metadata": {
        "labels": {"team": "checkout", "app.kubernetes.io/instance": "shop", "app.kubernetes.io/managed-by": "Helm", "kustomize.toolkit.fluxcd.io/name": "x"},
        "annotations": {
            "p/size": "8m", "mine": "1", "argocd.argoproj.io/tracking-id": "x", "cert-manager.io/cluster-issuer": "x",
            "external-dns.alpha.kubernetes.io/hostname": "x", "kubectl.kubernetes.io/last-applied-configuration": "{}",
        },
    }});
    let mut copy =
        json!({"metadata": {"labels": {"own": "x"}, "annotations": {"p/old": "x", "foreign": "kept", "mine": "0"}}});
    follow(&mut copy, &original, &["p/"]);
    assert_eq!(copy["metadata"]["labels"], json!({"own": "x", "team": "checkout"}));
    let expected = json!({
        "p/size": "8m", "mine": "1", "foreign": "kept",
        "helm.toolkit.fluxcd.io/driftDetection": "disabled", "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
    });
    assert_eq!(copy["metadata"]["annotations"], expected);

    let mut bare = json!({"metadata": {}});
    follow(&mut bare, &json!({}), &["p/"]);
    assert_eq!(bare["metadata"]["labels"], Value::Null);
}
