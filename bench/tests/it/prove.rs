//! Proofs from outside: attempts at a registry, transcripts in honest and other hands, spot checks, giving up.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use registry::client::{AttemptQuery, Client};
use serde_json::Value;

use crate::program::{Home, Ran, Served, json, path};

/// Proves on `device` for a short time and gives the answer.
fn proved(home: &Home, registry: &Served, device: &str, proof: &str, out: &str) -> Value {
    let ran = home.run(&[
        "prove",
        "--device",
        device,
        "--proof",
        proof,
        "--target",
        "400ms",
        "--out",
        out,
        "--format",
        "json",
        "--registry",
        &registry.url,
        "--trust",
        registry.trust(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    json(&ran.out)
}

#[test]
fn both_proofs_are_judged_proven_and_recomputed_offline() {
    let home = Home::new();
    let registry = home.serve("registry");
    let answer = proved(&home, &registry, "cpu:0", "all", "proofs");
    let attempts = answer["attempts"].as_array().expect("attempts");
    assert_eq!(attempts.len(), 2);
    for (attempt, place) in attempts.iter().zip([0, 2]) {
        assert_eq!(attempt["outcome"], "proven", "{attempt}");
        assert_eq!(attempt["attempt"]["logIndex"], place);
        assert_eq!(attempt["verdict"]["logIndex"], place + 1);
        let task = &attempt["tasks"][0];
        assert_eq!(task["device"], "cpu:0");
        assert!(task["proven"]["rate"].as_u64() > Some(1000), "{task}");
        assert_eq!(task["proven"]["evidence"], "timed");
        let run = task["phasesNs"]["run"].as_u64().expect("nanoseconds");
        let elapsed = task["proven"]["elapsedNs"].as_u64().expect("nanoseconds");
        assert!(run < elapsed, "the registry's clock runs around ours: {task}");

        let transcript = attempt["files"]["transcript"].as_str().expect("a path");
        let verified = home.run(&["verify", "--transcript", transcript, "--trust", registry.trust()]);
        assert_eq!(verified.code, 0, "{}", verified.err);
        let digest = attempt["verdict"]["digest"].as_str().expect("a digest");
        assert!(verified.out.contains(digest), "{}", verified.out);
        assert!(
            verified.out.contains("66 drawn from the secret"),
            "{}",
            verified.out
        );
    }
    let sound = home.run(&["fsck", "registry"]);
    assert_eq!(sound.code, 0, "{} {}", sound.out, sound.err);
}

#[test]
fn no_field_of_a_transcript_can_be_changed() {
    let home = Home::new();
    let registry = home.serve("registry");
    proved(&home, &registry, "cpu:0", "mlp", "proofs");
    let text = std::fs::read_to_string(home.path("proofs/cpu0-mlp.transcript.json")).expect("a transcript");
    let whole = json(&text);
    let verify = |edited: &Value| {
        home.write("edited.json", &edited.to_string());
        home.run(&[
            "verify",
            "--transcript",
            "edited.json",
            "--trust",
            registry.trust(),
        ])
    };
    assert_eq!(verify(&whole).code, 0);
    let fields = fields(&whole);
    assert!(fields.len() >= 40, "{fields:?}");
    for field in fields {
        let mut edited = whole.clone();
        change(edited.pointer_mut(&field).expect("it was listed"));
        let ran = verify(&edited);
        assert!([2, 5].contains(&ran.code), "{field}: {} {}", ran.code, ran.out);
        assert!(!ran.err.contains("panicked"), "{field}: {}", ran.err);
    }
    let other = home.serve("other");
    home.run(&[
        "verify",
        "--transcript",
        "proofs/cpu0-mlp.transcript.json",
        "--trust",
        other.trust(),
    ])
    .refused(5, &["names the log key"]);
}

/// Pointers to the values of a document, one for each kind of place: the first element stands for a list. What a signer's
/// `keyid` says decides nothing (formats).
fn fields(value: &Value) -> Vec<String> {
    let inner = |name: &str, value: &Value| -> Vec<String> {
        let name = name.replace('~', "~0").replace('/', "~1");
        fields(value)
            .iter()
            .map(|rest| format!("/{name}{rest}"))
            .collect()
    };
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| *name != "keyid")
            .flat_map(|(name, value)| inner(name, value))
            .collect(),
        Value::Array(items) => items.first().map_or_else(Vec::new, |first| inner("0", first)),
        _ => vec![String::new()],
    }
}

fn change(value: &mut Value) {
    *value = match value {
        Value::String(text) => {
            let at = text.len() / 2;
            let old = text.as_bytes().get(at).copied();
            let new = if old == Some(b'1') { "2" } else { "1" };
            let mut text = text.clone();
            text.replace_range(at..(at + 1).min(text.len()), new);
            Value::String(text)
        }
        Value::Number(number) => (number.as_u64().expect("integers only") + 1).into(),
        Value::Bool(truth) => Value::Bool(!*truth),
        other => panic!("{other} is no leaf"),
    }
}

#[test]
fn a_machine_passes_its_own_spot_check_and_fails_without_the_device() {
    let home = Home::new();
    let registry = home.serve("registry");
    proved(&home, &registry, "cpu:0", "all", "cpu");
    let place = ["--registry", &registry.url, "--trust", registry.trust()];
    // Other tests run beside this one: how much slower that is, is not the point.
    let same = home.run(
        &[
            &[
                "spot-check",
                "cpu",
                "--tolerance",
                "90",
                "--format",
                "json",
                "--out",
                "again",
            ],
            &place[..],
        ]
        .concat(),
    );
    assert_eq!(same.code, 0, "{} {}", same.out, same.err);
    let answer = json(&same.out);
    assert_eq!(answer["pass"], true);
    let devices = answer["devices"].as_array().expect("devices");
    assert_eq!(devices.len(), 2);
    assert!(
        devices.iter().all(|device| device["marginPercent"].is_number()),
        "{answer}"
    );
    assert!(home.path("again/cpu0-vram.transcript.json").exists());

    proved(&home, &registry, "vulkan:0", "mlp", "vulkan");
    let verdict = "vulkan/vulkan0-mlp.verdict.json";
    let without = home
        .command(&[&["spot-check", verdict], &place[..]].concat())
        .env("VK_DRIVER_FILES", path(&home.path("nothing.json")))
        .output();
    Ran::of(without.expect("it runs")).refused(1, &["vulkan", "no such device", "hint"]);
}

#[test]
fn certify_proves_and_the_statement_names_the_verdicts() {
    let home = Home::new();
    let registry = home.serve("registry");
    let place = ["--registry", &registry.url, "--trust", registry.trust()];
    let certified = home.run(
        &[
            &[
                "certify", "--device", "cpu:0", "--only", "gemm.i8", "--budget", "50ms", "--target", "400ms",
                "--out", "first", "--format", "json",
            ],
            &place[..],
        ]
        .concat(),
    );
    assert_eq!(certified.code, 0, "{}", certified.err);
    let answer = json(&certified.out);
    assert_eq!(
        answer["log"]["index"], 4,
        "two attempts and two verdicts came before"
    );
    assert_eq!(answer["proofs"].as_array().map(Vec::len), Some(2));
    for file in answer["files"].as_array().expect("files") {
        let file = home.path("first").join(file.as_str().expect("a name"));
        assert!(file.exists(), "{}", file.display());
    }
    let report = home.run(&[
        "report",
        "first/receipt.json",
        "--format",
        "json",
        "--trust",
        registry.trust(),
    ]);
    assert_eq!(report.code, 0, "{}", report.err);
    let run = json(&std::fs::read_to_string(home.path("first/run.json")).expect("a run file"));
    let public = attest::digest::Sha256(attest::exact::PUBLIC_SEED).to_string();
    assert_ne!(
        run["records"][0]["seed"],
        Value::String(public),
        "the seed is the registry's"
    );

    home.run(&[&["certify", "--seed", &"0".repeat(64)], &place[..]].concat())
        .refused(2, &["--no-proof"]);
}

#[test]
#[allow(unsafe_code, reason = "sending a signal to a child is a system call")]
fn an_interrupted_proof_is_logged_as_given_up() {
    let home = Home::new();
    let registry = home.serve("registry");
    let mut child = home
        .command(&[
            "prove",
            "--device",
            "cpu:0",
            "--proof",
            "mlp",
            "--target",
            "2s",
            "--registry",
            &registry.url,
            "--trust",
            registry.trust(),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let logged = lines
        .by_ref()
        .map_while(Result::ok)
        .find(|line| line.contains("is logged"));
    assert!(logged.is_some(), "no attempt was logged");
    std::thread::sleep(Duration::from_millis(300));
    let pid = i32::try_from(child.id()).expect("a process id");
    // SAFETY: the child has not been waited for, so the id is still its own.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130), "{rest:?}");
    assert!(
        rest.iter().any(|line| line.contains("logged as given up")),
        "{rest:?}"
    );

    let client = Client::new(&registry.url, Duration::from_secs(10)).expect("an address");
    let attempts = client
        .attempts(&AttemptQuery::default())
        .expect("a list")
        .to_string();
    assert!(attempts.contains("aborted"), "{attempts}");
}

#[test]
fn what_cannot_be_proven_or_checked_is_refused() {
    let home = Home::new();
    let registry = home.serve("registry");
    let place = ["--registry", &registry.url, "--trust", registry.trust()];
    home.run(&["prove", "--device", "cpu:0"])
        .refused(2, &["no registry"]);
    home.run(&[&["prove", "--device", "cuda:9"], &place[..]].concat())
        .refused(4, &["cuda:9", "hint"]);
    home.run(&[&["prove", "--target", "0s"], &place[..]].concat())
        .refused(2, &["--target"]);
    home.run(&[&["prove", "--format", "csv"], &place[..]].concat())
        .refused(2, &["json"]);
    let down = [
        "prove",
        "--device",
        "cpu:0",
        "--proof",
        "mlp",
        "--target",
        "200ms",
        "--timeout",
        "1s",
        "--registry",
        "http://127.0.0.1:9",
        "--trust",
        registry.trust(),
    ];
    home.run(&down).refused(6, &["nothing is proven"]);

    home.run(&["verify"]).refused(2, &["FILE"]);
    home.run(&[
        "verify",
        "--transcript",
        "absent.json",
        "--trust",
        registry.trust(),
    ])
    .refused(6, &["absent.json"]);
    home.write("odd.json", "{}");
    home.run(&["verify", "--transcript", "odd.json", "--trust", registry.trust()])
        .refused(5, &["odd.json"]);

    home.run(&[&["spot-check", "absent"], &place[..]].concat())
        .refused(6, &["absent"]);
    std::fs::create_dir(home.path("empty")).expect("a writable home");
    home.run(&[&["spot-check", "empty"], &place[..]].concat())
        .refused(2, &["verdict.json", "hint"]);
    home.run(&[&["spot-check", "odd.json"], &place[..]].concat())
        .refused(5, &["odd.json"]);
    home.run(&[&["spot-check", "empty", "--tolerance", "99"], &place[..]].concat())
        .refused(2, &["--tolerance"]);
}
