//! The whole way: measure, sign, log, verify, compare, report.

use crate::program::{Home, json, path};

#[test]
fn certify_leaves_a_receipt_that_verifies_and_reports_that_draw() {
    let home = Home::new();
    let registry = home.serve("registry");
    let place = ["--registry", &registry.url, "--trust", registry.trust()];
    let certified = home.run(
        &[
            &[
                "certify",
                "--no-proof",
                "--device",
                "cpu:0",
                "--only",
                "gemm.i8",
                "--budget",
                "50ms",
                "--out",
                "first",
                "--format",
                "json",
            ],
            &place[..],
        ]
        .concat(),
    );
    assert_eq!(certified.code, 0, "{}", certified.err);
    let answer = json(&certified.out);
    assert_eq!(
        (&answer["verified"], &answer["log"]["index"]),
        (&true.into(), &0.into())
    );

    let verified = home.run(&[
        "verify",
        "first/receipt.json",
        "--trust",
        registry.trust(),
        "--public-key",
        "first/signer.pem",
    ]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    assert!(
        verified
            .out
            .contains(answer["digest"].as_str().expect("a digest")),
        "{}",
        verified.out
    );

    let envelope = home.run(&[
        "verify",
        "first/envelope.json",
        "--public-key",
        "first/signer.pem",
    ]);
    assert_eq!(envelope.code, 0, "{}", envelope.err);
    assert!(
        envelope.out.contains("not checked"),
        "an envelope alone is not logged: {}",
        envelope.out
    );

    for format in ["html", "markdown", "json", "csv", "text"] {
        let report = home.run(&[
            "report",
            "first/receipt.json",
            "--format",
            format,
            "--trust",
            registry.trust(),
        ]);
        assert_eq!(report.code, 0, "{format}: {}", report.err);
        assert!(report.out.contains("gemm.i8"), "{format}");
    }

    let same = home.run(&[
        "compare",
        "first/receipt.json",
        "first/run.json",
        "--trust",
        registry.trust(),
        "--format",
        "json",
    ]);
    // A run beside other work is noisy or shared, and then it must not compare, not even with itself.
    let counts = &json(&same.out)["counts"];
    let compares = counts["indistinguishable"].as_u64() > Some(0);
    assert_eq!(
        (&counts["faster"], &counts["slower"]),
        (&0.into(), &0.into()),
        "{}",
        same.out
    );
    assert_eq!(
        same.code,
        if compares { 0 } else { 3 },
        "{} {}",
        same.out,
        same.err
    );

    let sound = home.run(&["fsck", "registry"]);
    assert_eq!(sound.code, 0, "{} {}", sound.out, sound.err);
}

#[test]
fn the_same_envelope_twice_is_one_leaf() {
    let home = Home::new();
    let registry = home.serve("registry");
    home.measured("run.json");
    let place = ["--registry", &registry.url, "--trust", registry.trust()];
    assert_eq!(home.run(&["keys", "new"]).code, 0);
    let signed = home.run(&[&["sign", "run.json"], &place[..]].concat());
    assert_eq!(signed.code, 0, "{}", signed.err);
    for (out, said) in [("a.json", "leaf 0"), ("b.json", "already")] {
        let sent = home.run(&[&["submit", "envelope.json", "--out", out], &place[..]].concat());
        assert_eq!(sent.code, 0, "{}", sent.err);
        assert!(sent.err.contains(said), "{}", sent.err);
    }
}

#[test]
fn a_key_is_private_encrypted_and_opens_with_its_password_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    assert_eq!(home.run(&["keys", "new", "--out", "key.pem"]).code, 0);
    let mode = std::fs::metadata(home.path("key.pem"))
        .expect("the key")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let shown = home.run(&["keys", "show", "--key", "key.pem"]);
    assert!(
        shown.out.starts_with("-----BEGIN PUBLIC KEY-----"),
        "{}",
        shown.err
    );
    let wrong = home
        .command(&["keys", "show", "--key", "key.pem"])
        .env("HALLMARK_KEY_PASSWORD", "wrong")
        .output();
    crate::program::Ran::of(wrong.expect("it runs")).refused(2, &["password", "hint"]);
    home.run(&["keys", "new", "--out", "key.pem"])
        .refused(2, &["never overwritten"]);
}

#[test]
fn every_list_has_a_form_for_programs() {
    let home = Home::new();
    let devices = json(&home.run(&["devices", "--format", "json"]).out);
    assert_eq!(devices["devices"][0]["id"], "cpu:0");
    let workloads = json(&home.run(&["workloads", "--format", "json"]).out);
    assert!(workloads.as_array().is_some_and(|list| list.len() >= 8));
    for document in ["statement", "run", "openapi"] {
        assert!(
            json(&home.run(&["schema", document]).out).is_object(),
            "{document}"
        );
    }
    assert!(home.run(&["man"]).out.contains("hallmark"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            home.run(&["completions", shell]).out.contains("certify"),
            "{shell}"
        );
    }
}

#[test]
fn no_vulkan_driver_is_said_and_is_no_error() {
    let home = Home::new();
    let output = home
        .command(&["devices"])
        .env("VK_DRIVER_FILES", path(&home.path("nothing.json")))
        .output();
    let ran = crate::program::Ran::of(output.expect("it runs"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains("cpu:0") && ran.out.contains("no vulkan"),
        "{}",
        ran.out
    );
}
