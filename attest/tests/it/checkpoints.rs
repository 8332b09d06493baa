//! Published vectors of checkpoints, `attest/testdata/checkpoints/vectors.json`: for other readers as well as this one.

use std::path::{Path, PathBuf};

use attest::checkpoint;
use attest::note::Note;
use serde::{Deserialize, Serialize};

use crate::log::{self, Log, ORIGIN, SIZE};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Vectors {
    /// What the file is, in a sentence or two.
    about: String,
    origin: String,
    /// Verifier keys of C2SP signed-note: ECDSA P-256 (0x02), Ed25519 (0x01).
    keys: Vec<String>,
    valid: Vec<Valid>,
    invalid: Vec<Invalid>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Valid {
    name: String,
    note: String,
    size: u64,
    /// Base64, as in the note.
    root: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Invalid {
    name: String,
    note: String,
    /// What this reader says; others are free in their words.
    error: String,
}

pub(crate) fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/checkpoints/vectors.json")
}

pub(crate) fn written() -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(&vectors()).expect("strings have a JSON form");
    bytes.push(b'\n');
    bytes
}

fn vectors() -> Vectors {
    let trust = log::keys().trust(ORIGIN);
    Vectors {
        about: "Checkpoints as C2SP tlog-checkpoint has them, of a log with two keys that both sign. Every valid note \
                verifies under both keys; no invalid note may be accepted by a reader that asks for both."
            .to_owned(),
        origin: ORIGIN.to_owned(),
        keys: trust.keys.iter().map(|key| key.verifier_line(ORIGIN)).collect(),
        valid: valid(),
        invalid: invalid()
            .into_iter()
            .map(|(name, note)| Invalid {
                name: name.to_owned(),
                error: checkpoint::open(&note, &trust).expect_err(name).to_string(),
                note,
            })
            .collect(),
    }
}

fn sound(size: u64) -> String {
    Log::of(size).checkpoint(ORIGIN, &log::keys())
}

const WITNESS_LINE: &str = "\u{2014} witness.example/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

fn valid() -> Vec<Valid> {
    let described = |name: &str, note: String| {
        let text = Note::parse(&note).expect("a note").text;
        let lines: Vec<_> = text.lines().collect();
        Valid {
            name: name.to_owned(),
            size: lines[1].parse().expect("a size"),
            root: lines[2].to_owned(),
            note,
        }
    };
    let swapped = {
        let note = sound(SIZE);
        let lines: Vec<_> = note.split_inclusive('\n').collect();
        [&lines[..4], &[lines[5], lines[4]]].concat().concat()
    };
    vec![
        described("an empty tree", sound(0)),
        described("one leaf", sound(1)),
        described("eleven leaves", sound(SIZE)),
        described("signature lines in the other order", swapped),
        described(
            "a line of a witness that is not known",
            sound(SIZE) + WITNESS_LINE,
        ),
    ]
}

fn invalid() -> Vec<(&'static str, String)> {
    let note = sound(SIZE);
    let lines: Vec<_> = note.split_inclusive('\n').collect();
    let without = |line: usize| [&lines[..line], &lines[line + 1..]].concat().concat();
    let replaced = |from: &str, to: &str| note.replacen(from, to, 1);
    let other = sound(7);
    let other_lines: String = other.split_inclusive('\n').skip(4).collect();
    vec![
        ("no signature", lines[..4].concat()),
        ("no ECDSA signature", without(4)),
        ("no Ed25519 signature", without(5)),
        ("signatures of another tree", lines[..4].concat() + &other_lines),
        (
            "a further bad signature by a trusted key",
            note.clone() + other.split_inclusive('\n').next_back().expect("a line"),
        ),
        ("another size", replaced("\n11\n", "\n12\n")),
        ("a size with a leading zero", replaced("\n11\n", "\n011\n")),
        ("a negative size", replaced("\n11\n", "\n-11\n")),
        ("a size of 2^63", replaced("\n11\n", "\n9223372036854775808\n")),
        ("another origin", replaced(ORIGIN, "log.hallmark.example/2027")),
        ("no origin", replaced(ORIGIN, "")),
        ("no root", without(2)),
        ("an extension line", replaced("\n\n", "\nextension\n\n")),
        ("carriage returns", note.replace('\n', "\r\n")),
        ("a hyphen for the dash", note.replace('\u{2014}', "-")),
        ("no newline at the end", note.trim_end().to_owned()),
        (
            "keys of another log under this origin",
            Log::of(SIZE).checkpoint(ORIGIN, &log::other_keys()),
        ),
    ]
}

#[test]
fn published_checkpoint_vectors_hold() {
    let trust = log::keys().trust(ORIGIN);
    let vectors: Vectors = serde_json::from_slice(&std::fs::read(file()).unwrap()).unwrap();
    assert_eq!(vectors.origin, ORIGIN);
    for Valid {
        name,
        note,
        size,
        root,
    } in &vectors.valid
    {
        let opened = checkpoint::open(note, &trust).expect(name);
        assert_eq!(
            (opened.size, opened.text().lines().nth(2)),
            (*size, Some(root.as_str())),
            "{name}"
        );
    }
    for Invalid { name, note, error } in &vectors.invalid {
        assert_eq!(
            &checkpoint::open(note, &trust).expect_err(name).to_string(),
            error,
            "{name}"
        );
    }
    assert!(vectors.valid.len() >= 5 && vectors.invalid.len() >= 17);
}

#[test]
fn published_checkpoint_vectors_are_those_of_the_list() {
    assert!(
        std::fs::read(file()).unwrap() == written(),
        "run: cargo run -p hallmark-attest --example fixtures"
    );
}
