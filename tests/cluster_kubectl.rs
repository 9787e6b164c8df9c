//! The same session of a real kubectl on the real control plane and on `aviary sandbox`, with equal results (tests/kubectl).

use std::process::Command;

#[test]
fn kubectl_sees_no_difference() {
    let Ok(control_plane) = std::env::var("AVIARY_CLUSTER_ENV") else {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "AVIARY_CLUSTER_ENV must be set in CI"
        );
        println!("skipped: AVIARY_CLUSTER_ENV names no control plane (tests/controlplane/up)");
        return;
    };
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kubectl/compare"))
        .args([env!("CARGO_BIN_EXE_aviary"), &control_plane])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{told}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{told}");
}
