//! Receipts that must not verify: what the log signed and what the receipt says differ, or nobody trusted signed it.

mod proofs;

use attest::digest::Sha256;
use attest::merkle::{self, ProofError};
use attest::receipt::Receipt;
use serde_json::{Value, json};

use super::{Case, Kind};
use crate::log::{self, Log, ORIGIN, SIZE, SMALL, TWO_DEVICES};
use crate::sample;

pub(crate) fn cases() -> Vec<Case> {
    [
        shapes(),
        numbers(),
        proofs::cases(),
        exchanged(),
        strangers(),
        histories(),
    ]
    .concat()
}

fn case(name: &'static str, why: &'static str, error: impl Into<String>, input: impl Into<Vec<u8>>) -> Case {
    Case {
        name,
        kind: Kind::Receipt,
        why,
        error: error.into(),
        input: input.into(),
    }
}

fn sound() -> Receipt {
    Receipt::parse(&Log::of(SIZE).receipt(SMALL)).expect("a sound receipt")
}

fn text() -> String {
    String::from_utf8(sound().to_json()).expect("JSON is UTF-8")
}

/// The sound receipt after a change of its parts.
fn changed(change: impl FnOnce(&mut Receipt)) -> Vec<u8> {
    let mut receipt = sound();
    change(&mut receipt);
    receipt.to_json()
}

/// The sound receipt's JSON after a change of the document, and of its log entry.
fn edited(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = serde_json::from_str(&text()).expect("JSON");
    change(&mut value);
    value.to_string().into_bytes()
}

fn entry(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    edited(|receipt| change(&mut receipt["verificationMaterial"]["tlogEntries"][0]))
}

/// A receipt that fails in nothing but the root its path leads to.
fn leads_elsewhere(name: &'static str, why: &'static str, change: impl FnOnce(&mut Receipt)) -> Case {
    let input = changed(change);
    let receipt = Receipt::parse(&input).expect("a well-formed receipt");
    let (index, proof) = (receipt.log_index, &receipt.proof);
    let leaf = merkle::leaf_hash(&receipt.leaf);
    let cause = merkle::verify_inclusion(index, proof.tree_size, &leaf, &proof.path, &proof.root);
    let Err(cause @ ProofError::Root { .. }) = cause else {
        panic!("{name}: {cause:?}");
    };
    case(
        name,
        why,
        format!("the log does not hold the leaf at index {index}: {cause}"),
        input,
    )
}

fn root() -> Sha256 {
    Log::of(SIZE).state(ORIGIN).root
}

fn provider() -> Sha256 {
    sample::provider().public().id()
}

/// Where `part` ends, in bytes.
fn end_of(input: &[u8], part: &str) -> usize {
    let text = str::from_utf8(input).expect("JSON is UTF-8");
    text.find(part).expect("a part of the receipt") + part.len()
}

fn missing(field: &str, column: usize) -> String {
    format!(
        "the receipt is not read: the document is sound JSON of another shape: missing field `{field}` at line 1 column {column}"
    )
}

fn shapes() -> Vec<Case> {
    let text = text();
    let without_proof =
        entry(|entry| drop(entry.as_object_mut().expect("an object").remove("inclusionProof")));
    let without_key = edited(|receipt| {
        let material = receipt["verificationMaterial"]
            .as_object_mut()
            .expect("an object");
        material.remove("publicKey");
        material.insert("certificate".to_owned(), json!({"rawBytes": "MAA="}));
    });
    vec![
        case(
            "receipt-truncated",
            "A download cut short.",
            format!(
                "the receipt is not read: the document ends at byte {}, where a character of a string, control characters escaped should follow",
                text.len() / 2
            ),
            &text[..text.len() / 2],
        ),
        case(
            "receipt-of-another-version",
            "A bundle of an older version, whose checks are others.",
            "the receipt's mediaType is \"application/vnd.dev.sigstore.bundle+json;version=0.2\"; application/vnd.dev.sigstore.bundle.v0.3+json is wanted",
            edited(|receipt| {
                receipt["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.2");
            }),
        ),
        case(
            "receipt-envelope-twice",
            "Two envelopes under one key: one reader would check the first and another show the last.",
            format!(
                "the receipt is not read: key \"dsseEnvelope\" stands twice in one object, again at byte {}",
                text.len()
            ),
            format!("{},\"dsseEnvelope\":{{}}}}", &text[..text.len() - 1]),
        ),
        case(
            "receipt-without-log-entry",
            "Signed, and in no log: the best of ten attempts could be shown as the only one.",
            "the receipt has 0 log entries, not 1",
            edited(|receipt| receipt["verificationMaterial"]["tlogEntries"] = json!([])),
        ),
        case(
            "receipt-with-two-log-entries",
            "Two entries, of which a reader might check either.",
            "the receipt has 2 log entries, not 1",
            edited(|receipt| {
                let entries = &mut receipt["verificationMaterial"]["tlogEntries"];
                *entries = json!([entries[0].clone(), entries[0].clone()]);
            }),
        ),
        case(
            "receipt-without-proof",
            "An index and no proof of it.",
            missing("inclusionProof", end_of(&without_proof, "\"logIndex\":\"3\"") + 1),
            without_proof,
        ),
        case(
            "receipt-with-certificate-for-key",
            "A certificate in place of the key hint: no authority is trusted here.",
            missing("publicKey", without_key.len() - 1),
            without_key,
        ),
        case(
            "receipt-of-another-entry-kind",
            "An entry of another kind, whose fields mean other things.",
            "the receipt's kindVersion.kind is \"dsse\"; hashedrekord is wanted",
            entry(|entry| entry["kindVersion"]["kind"] = json!("dsse")),
        ),
    ]
}

fn numbers() -> Vec<Case> {
    let decimal = "a decimal number from 0 to 2^63-1";
    vec![
        case(
            "index-negative",
            "A negative index points outside of every tree.",
            format!("the receipt's logIndex is \"-1\"; {decimal} is wanted"),
            entry(|entry| entry["logIndex"] = json!("-1")),
        ),
        case(
            "index-with-leading-zero",
            "The same number in two spellings: what was compared as text would differ.",
            format!("the receipt's inclusionProof.logIndex is \"03\"; {decimal} is wanted"),
            entry(|entry| entry["inclusionProof"]["logIndex"] = json!("03")),
        ),
        case(
            "tree-size-huge",
            "A size past 2^63-1 wraps around to a negative one in other readers.",
            format!("the receipt's inclusionProof.treeSize is \"18446744073709551615\"; {decimal} is wanted"),
            entry(|entry| entry["inclusionProof"]["treeSize"] = json!("18446744073709551615")),
        ),
        case(
            "indices-differ",
            "The index outside of the proof is the one that is shown, the one inside the one that is proven.",
            "the receipt gives two indices: 4 for the entry, 3 in its proof",
            changed(|receipt| receipt.log_index = 4),
        ),
        case(
            "index-beyond-tree",
            "An index equal to the tree's size.",
            "the log does not hold the leaf at index 11: leaf 11 is outside a tree of 11 leaves",
            changed(|receipt| {
                receipt.log_index = SIZE;
                receipt.proof.log_index = SIZE;
            }),
        ),
        leads_elsewhere(
            "index-of-a-neighbour",
            "The proof of one leaf under the index of another.",
            |receipt| {
                receipt.log_index = 2;
                receipt.proof.log_index = 2;
            },
        ),
    ]
}

/// Parts of one sound receipt in another.
fn exchanged() -> Vec<Case> {
    let other = Receipt::parse(&Log::of(SIZE).receipt(TWO_DEVICES)).expect("a sound receipt");
    vec![
        case(
            "envelope-of-another-receipt",
            "The proof of one attestation around another of the same signer.",
            format!(
                "the log's leaf is about other signed bytes ({}) than the envelope's ({})",
                Sha256::of(&sound().envelope.pae()),
                Sha256::of(&other.envelope.pae())
            ),
            changed(|receipt| receipt.envelope = other.envelope.clone()),
        ),
        leads_elsewhere(
            "leaf-of-another-receipt",
            "Envelope and leaf of one attestation with the proof of another.",
            |receipt| {
                receipt.envelope = other.envelope.clone();
                receipt.leaf = other.leaf.clone();
            },
        ),
        case(
            "leaf-not-canonical",
            "The leaf with a space more: another leaf of the same entry.",
            "the receipt's leaf: the leaf is not in canonical form (RFC 8785)",
            changed(|receipt| receipt.leaf.insert(1, b' ')),
        ),
        case(
            "hint-of-another-key",
            "A hint to a key that did not sign.",
            format!(
                "the receipt's key hint is {}, but the key in its leaf is {}",
                sample::stranger().public().id(),
                provider()
            ),
            changed(|receipt| receipt.key_hint = sample::stranger().public().id()),
        ),
    ]
}

fn strangers() -> Vec<Case> {
    let log = Log::of(SIZE);
    let envelope = log::attestation(SMALL).expect("an attestation");
    let provider_key = sample::provider();
    let by = |origin: &str, keys| log.receipt_by(SMALL, &envelope, provider_key.public(), origin, &keys);
    let mut forged = Log::of(SIZE);
    let stranger = sample::stranger();
    let other_envelope = attest::dsse::Envelope::sign(envelope.payload.clone(), &stranger);
    let digest = Sha256::of(&other_envelope.pae());
    forged.leaves[SMALL as usize] = attest::leaf::canonical(&digest, &other_envelope.sig, stranger.public());
    let impostor = by(ORIGIN, log::other_keys());
    vec![
        case(
            "log-unknown",
            "A log that the trusted root does not name.",
            "the receipt is of the log \"log.hallmark.example/2025\", which the trusted root does not name",
            by("log.hallmark.example/2025", log::keys()),
        ),
        case(
            "log-key-of-an-impostor",
            "Other keys under a trusted log's name.",
            format!(
                "the receipt names the log key {}; the key of \"{ORIGIN}\" is {}",
                log::other_keys().ecdsa.public().id(),
                log::keys().ecdsa.public().id()
            ),
            impostor.clone(),
        ),
        case(
            "log-key-of-an-impostor-under-the-true-id",
            "Other keys under a trusted log's name and the id of its key.",
            format!(
                "the checkpoint has no signature by the log's ECDSA P-256 key {}",
                log::keys().trust(ORIGIN).keys[0].note_id(ORIGIN)
            ),
            {
                let mut receipt = Receipt::parse(&impostor).expect("a receipt");
                receipt.log_id = log::keys().ecdsa.public().id();
                receipt.to_json()
            },
        ),
        case(
            "signer-not-the-expected-one",
            "A sound receipt of another signer's statement.",
            format!(
                "the receipt is signed by the key {}, not by {}",
                stranger.public().id(),
                provider()
            ),
            forged.receipt_by(SMALL, &other_envelope, stranger.public(), ORIGIN, &log::keys()),
        ),
    ]
}

fn histories() -> Vec<Case> {
    let older = |name, why, error: &str, input| Case {
        name,
        kind: Kind::ReceiptAfterCheckpoint,
        why,
        error: error.to_owned(),
        input,
    };
    let mut fork = Log::of(SIZE);
    fork.leaves[1] = b"another past".to_vec();
    vec![
        older(
            "checkpoint-older-than-seen",
            "The log shows an older tree than before: what was added since would be hidden.",
            "the checkpoint of 7 leaves is older than the one of 11 leaves already seen",
            Log::of(7).receipt(SMALL),
        ),
        older(
            "checkpoint-forked",
            "The log shows another tree of the size already seen: two readers were told two histories.",
            &format!(
                "the log shows two trees of 11 leaves: root {} now, root {} before",
                fork.state(ORIGIN).root,
                root()
            ),
            fork.receipt(SMALL),
        ),
    ]
}
