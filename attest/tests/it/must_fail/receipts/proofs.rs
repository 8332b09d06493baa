//! The proof inside a receipt and the checkpoint it leads to.

use attest::digest::Sha256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{Case, case, changed, entry, leads_elsewhere, root};
use crate::log::{self, Log, ORIGIN};

pub(super) fn cases() -> Vec<Case> {
    [proofs(), checkpoints()].concat()
}

fn checkpoint(change: impl FnOnce(&str) -> String) -> Vec<u8> {
    changed(|receipt| receipt.proof.checkpoint = change(&receipt.proof.checkpoint))
}

fn proofs() -> Vec<Case> {
    vec![
        case(
            "tree-size-not-the-checkpoints",
            "The proof is for a tree that the log did not sign.",
            "the proof is for a tree of 12 leaves, the checkpoint for one of 11",
            changed(|receipt| receipt.proof.tree_size = 12),
        ),
        case(
            "root-not-the-checkpoints",
            "A root that the log did not sign.",
            format!(
                "the proof states the root {}, the checkpoint {}",
                Sha256::of(b"another root"),
                root()
            ),
            changed(|receipt| receipt.proof.root = Sha256::of(b"another root")),
        ),
        case(
            "path-one-hash-short",
            "The leaf would sit one level too high, where an inner node could pass for it.",
            "the log does not hold the leaf at index 3: the proof has 3 hashes where this tree takes 4",
            changed(|receipt| receipt.proof.path.truncate(3)),
        ),
        case(
            "path-one-hash-long",
            "The path leads on above the root.",
            "the log does not hold the leaf at index 3: the proof has 5 hashes where this tree takes 4",
            changed(|receipt| receipt.proof.path.push(Sha256::of(b""))),
        ),
        leads_elsewhere("path-altered", "One bit of one hash of the path.", |receipt| {
            receipt.proof.path[1].0[7] ^= 1;
        }),
        case(
            "path-endless",
            "More hashes than any tree has levels.",
            "the receipt's inclusion proof has 10000 hashes; a tree has at most 63 levels",
            changed(|receipt| receipt.proof.path = vec![Sha256::of(b""); 10_000]),
        ),
        case(
            "path-hash-cut",
            "A hash of 31 bytes.",
            format!(
                "the receipt's inclusionProof.hashes is \"{}\"; 32 bytes in base64 is wanted",
                STANDARD.encode([7; 31])
            ),
            entry(|entry| entry["inclusionProof"]["hashes"][0] = json!(STANDARD.encode([7; 31]))),
        ),
    ]
}

fn checkpoints() -> Vec<Case> {
    let ecdsa = log::keys().trust(ORIGIN).keys[0].note_id(ORIGIN);
    let ed25519 = log::keys().trust(ORIGIN).keys[1].note_id(ORIGIN);
    let without_line = |note: &str, line: usize| {
        let lines: Vec<_> = note.split_inclusive('\n').collect();
        [&lines[..line], &lines[line + 1..]].concat().concat()
    };
    vec![
        case(
            "checkpoint-unsigned",
            "A checkpoint that nobody signed.",
            "the checkpoint is no signed note: the note has no empty line between its text and its signatures",
            checkpoint(|note| note.split_inclusive('\n').take(3).collect()),
        ),
        case(
            "checkpoint-without-ecdsa-line",
            "One of the log's two signatures is missing.",
            format!("the checkpoint has no signature by the log's ECDSA P-256 key {ecdsa}"),
            checkpoint(|note| without_line(note, 4)),
        ),
        case(
            "checkpoint-without-ed25519-line",
            "One of the log's two signatures is missing.",
            format!("the checkpoint has no signature by the log's Ed25519 key {ed25519}"),
            checkpoint(|note| without_line(note, 5)),
        ),
        case(
            "checkpoint-signature-of-another-tree",
            "A good signature of the log over another tree of its own.",
            format!("the checkpoint's ECDSA P-256 signature does not hold for the log's key {ecdsa}"),
            checkpoint(|note| {
                let other = Log::of(7).checkpoint(ORIGIN, &log::keys());
                let text: String = note.split_inclusive('\n').take(4).collect();
                text + &other.split_inclusive('\n').skip(4).collect::<String>()
            }),
        ),
        case(
            "checkpoint-without-size",
            "A checkpoint of two lines.",
            "the checkpoint has 2 lines of text, not the 3 of origin, size and root hash",
            checkpoint(|note| without_line(note, 1)),
        ),
        case(
            "checkpoint-without-origin",
            "An empty origin names no log.",
            "the checkpoint is no signed note: \"\" cannot name a key: it must not be empty or hold white space or `+`",
            checkpoint(|note| note.replacen(ORIGIN, "", 1)),
        ),
        case(
            "checkpoint-with-extension-line",
            "A line of text that no reader here understands.",
            "the checkpoint has 4 lines of text, not the 3 of origin, size and root hash",
            checkpoint(|note| note.replacen("\n\n", "\nextension\n\n", 1)),
        ),
    ]
}
