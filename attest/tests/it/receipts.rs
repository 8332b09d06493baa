//! A receipt in hostile hands: every byte changed, every cut, parts exchanged, other keys, other logs, older trees.

use std::ops::Range;

use attest::checkpoint;
use attest::digest::Sha256;
use attest::dsse::Envelope;
use attest::receipt::{MAX_RECEIPT_BYTES, Receipt, ReceiptError};
use attest::statement::Statement;
use attest::trust::TrustedRoot;
use attest::verify::{VerifyError, verify_logged, verify_receipt, verify_receipt_after};

use crate::log::{self, Log, ORIGIN, SIZE, SMALL, TWO_DEVICES};
use crate::sample;

/// What a reader takes from a receipt.
#[derive(Debug, PartialEq)]
struct Content {
    statement: Statement,
    digest: Sha256,
    key_id: Sha256,
    log_index: u64,
    origin: String,
    tree_size: u64,
}

fn read(bytes: &[u8], root: &TrustedRoot) -> Result<Content, VerifyError> {
    let receipt = verify_receipt(bytes, root, Some(sample::provider().public()))?;
    Ok(Content {
        digest: receipt.statement.digest(),
        statement: receipt.statement.into_inner(),
        key_id: receipt.key.id(),
        log_index: receipt.log_index,
        origin: receipt.origin,
        tree_size: receipt.tree_size,
    })
}

fn sound() -> String {
    String::from_utf8(Log::of(SIZE).receipt(SMALL)).expect("JSON is UTF-8")
}

fn place(text: &str, part: &str) -> Range<usize> {
    let start = text.find(part).expect("a part of the receipt");
    start..start + part.len()
}

/// The bytes that nothing trusts: name and value of the envelope's key hint. A change there leaves the content the same.
fn untrusted(text: &str) -> [Range<usize>; 2] {
    let hint = sample::provider().public().id().to_string();
    [place(text, "keyid"), place(text, &hint)]
}

#[test]
fn a_receipt_gives_back_what_was_signed_and_where_it_stands() {
    let root = log::trusted_root();
    for (index, run) in [(SMALL, sample::small()), (TWO_DEVICES, sample::two_devices())] {
        let content = read(&Log::of(SIZE).receipt(index), &root).expect("a sound receipt");
        assert_eq!(content.statement, sample::statement(&run));
        assert_eq!(content.digest, Sha256::of(&sample::envelope(&run).pae()));
        assert_eq!(content.key_id, sample::provider().public().id());
        assert_eq!((content.log_index, content.tree_size), (index, SIZE));
        assert_eq!(content.origin, ORIGIN);
    }
}

#[test]
fn every_changed_byte_is_refused_or_is_one_that_nothing_trusts() {
    let (text, root) = (sound(), log::trusted_root());
    let content = read(text.as_bytes(), &root).expect("a sound receipt");
    let untrusted = untrusted(&text);
    let payload = place(&text, "payload\":\"").end..place(&text, "\",\"payloadType").start;
    let check = |position: usize| {
        // All bits of what frames the payload; inside it one change within the base64 alphabet.
        let masks: &[u8] = if payload.contains(&position) {
            &[1]
        } else {
            &[1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0xFF]
        };
        for mask in masks {
            let mut bytes = text.clone().into_bytes();
            bytes[position] ^= mask;
            match read(&bytes, &root) {
                Err(error) => assert!(!error.to_string().is_empty()),
                Ok(other) => {
                    let known = untrusted.iter().any(|range| range.contains(&position));
                    assert!(known, "byte {position} with mask {mask:#x} was accepted");
                    assert_eq!(other, content, "byte {position} with mask {mask:#x}");
                }
            }
        }
    };
    let length = text.len();
    std::thread::scope(|scope| {
        for part in 0..2 {
            let check = &check;
            scope.spawn(move || (part..length).step_by(2).for_each(check));
        }
    });
}

#[test]
fn some_changes_of_the_key_hint_are_accepted() {
    let (text, root) = (sound(), log::trusted_root());
    let content = read(text.as_bytes(), &root).expect("a sound receipt");
    for range in untrusted(&text) {
        let mut bytes = text.clone().into_bytes();
        bytes[range.start] = b'x';
        assert_eq!(read(&bytes, &root).expect("nothing trusts it"), content);
    }
}

#[test]
fn every_truncation_is_refused() {
    let (text, root) = (sound(), log::trusted_root());
    for length in 0..text.len() {
        let message = read(&text.as_bytes()[..length], &root)
            .expect_err("a part is no receipt")
            .to_string();
        // The dashes of the checkpoint take three bytes each.
        let cut = text.is_char_boundary(length);
        let cause = if cut {
            "the document ends at byte"
        } else {
            "is not UTF-8"
        };
        assert!(message.contains(cause), "{length}: {message}");
    }
}

#[test]
fn the_receipt_of_one_attestation_does_not_go_with_another() {
    let (log, root) = (Log::of(SIZE), log::trusted_root());
    let a = Receipt::parse(&log.receipt(SMALL)).expect("a receipt");
    let b = Receipt::parse(&log.receipt(TWO_DEVICES)).expect("a receipt");
    let swapped = Receipt {
        envelope: b.envelope.clone(),
        ..a.clone()
    };
    assert!(matches!(
        read(&swapped.to_json(), &root),
        Err(VerifyError::OtherEnvelope { .. })
    ));
    let with_leaf = Receipt {
        leaf: b.leaf.clone(),
        ..swapped.clone()
    };
    assert!(matches!(
        read(&with_leaf.to_json(), &root),
        Err(VerifyError::Inclusion { index: SMALL, .. })
    ));
    let with_proof = Receipt {
        proof: b.proof.clone(),
        ..with_leaf
    };
    assert!(matches!(
        read(&with_proof.to_json(), &root),
        Err(VerifyError::TwoIndices { outer: 3, inner: 6 })
    ));
    let whole = Receipt {
        log_index: b.log_index,
        ..with_proof
    };
    assert_eq!(whole, b);
}

#[test]
fn a_signature_that_the_log_does_not_hold_is_refused() {
    let (log, root) = (Log::of(SIZE), log::trusted_root());
    let mut receipt = Receipt::parse(&log.receipt(SMALL)).expect("a receipt");
    let signature = p256::ecdsa::Signature::from_der(&receipt.envelope.sig).expect("DER");
    let (r, s) = signature.split_scalars();
    let mirrored = p256::ecdsa::Signature::from_scalars(r, -s).expect("r and n - s");
    receipt.envelope.sig = mirrored.to_der().as_bytes().to_vec();
    assert!(matches!(
        read(&receipt.to_json(), &root),
        Err(VerifyError::OtherSignature)
    ));
}

#[test]
fn another_signer_is_refused_when_one_is_expected_and_named_when_not() {
    let root = log::trusted_root();
    let bytes = Log::of(SIZE).receipt(SMALL);
    let stranger = sample::stranger();
    let refused = verify_receipt(&bytes, &root, Some(stranger.public()));
    assert!(matches!(refused, Err(VerifyError::WrongSigner { .. })));
    let open = verify_receipt(&bytes, &root, None).expect("whoever the leaf names");
    assert_eq!(&open.key, sample::provider().public());
}

#[test]
fn a_leaf_that_names_a_key_which_did_not_sign_is_refused() {
    let (mut log, root) = (Log::of(SIZE), log::trusted_root());
    let envelope = log::attestation(SMALL).expect("an attestation");
    let stranger = sample::stranger();
    log.leaves[SMALL as usize] =
        attest::leaf::canonical(&Sha256::of(&envelope.pae()), &envelope.sig, stranger.public());
    let forged = log.receipt_by(SMALL, &envelope, stranger.public(), ORIGIN, &log::keys());
    assert!(matches!(
        verify_receipt(&forged, &root, None),
        Err(VerifyError::Envelope(_))
    ));
}

#[test]
fn other_logs_other_keys_and_other_origins_are_told_apart() {
    let (log, root) = (Log::of(SIZE), log::trusted_root());
    let envelope = log::attestation(SMALL).expect("an attestation");
    let provider = sample::provider();
    let by = |origin: &str, keys| log.receipt_by(SMALL, &envelope, provider.public(), origin, &keys);
    let elsewhere = by("log.hallmark.example/2025", log::keys());
    assert!(
        matches!(read(&elsewhere, &root), Err(VerifyError::UnknownLog { origin }) if origin.ends_with("2025"))
    );
    let impostor = by(ORIGIN, log::other_keys());
    assert!(matches!(read(&impostor, &root), Err(VerifyError::LogId { .. })));
    let mut renamed = Receipt::parse(&impostor).expect("a receipt");
    renamed.log_id = log::keys().ecdsa.public().id();
    assert!(matches!(
        read(&renamed.to_json(), &root),
        Err(VerifyError::Checkpoint(_))
    ));
}

#[test]
fn a_receipt_from_before_a_checkpoint_already_seen_is_refused_where_that_matters() {
    let (root, provider) = (log::trusted_root(), sample::provider());
    let (older, newest) = (Log::of(7), Log::of(SIZE));
    let seen = newest.state(ORIGIN);
    let bytes = older.receipt(SMALL);
    assert!(verify_receipt(&bytes, &root, None).is_ok());
    let refused = verify_receipt_after(&bytes, &root, Some(provider.public()), &seen);
    assert!(matches!(
        refused,
        Err(VerifyError::History(checkpoint::HistoryError::Older {
            got: 7,
            seen: SIZE
        }))
    ));
    let receipt =
        verify_receipt_after(&newest.receipt(SMALL), &root, None, &older.state(ORIGIN)).expect("newer");
    assert_eq!(
        receipt
            .checkpoint
            .follows(&older.state(ORIGIN), &newest.consistency(7)),
        Ok(())
    );
}

#[test]
fn a_log_that_rewrote_its_past_is_caught_by_the_checkpoint_seen_before() {
    let root = log::trusted_root();
    let mut rewritten = Log::of(SIZE);
    rewritten.leaves[1] = b"another past".to_vec();
    let receipt = verify_receipt(&rewritten.receipt(SMALL), &root, None).expect("sound by itself");
    let seen = Log::of(7).state(ORIGIN);
    for proof in [rewritten.consistency(7), Log::of(SIZE).consistency(7)] {
        let caught = receipt.checkpoint.follows(&seen, &proof);
        assert!(matches!(
            caught,
            Err(checkpoint::HistoryError::Inconsistent { .. })
        ));
    }
}

#[test]
fn a_retired_log_vouches_for_what_was_measured_before_and_nothing_after() {
    let bytes = Log::of(SIZE).receipt(SMALL);
    let next = log::other_keys().trust("log.hallmark.example/2027");
    let rotated = |at: &str| {
        log::trusted_root()
            .rotate(&next, at.parse().expect("a time"))
            .expect("a new log")
    };
    assert!(read(&bytes, &rotated("2026-11-22T13:00:41.5Z")).is_ok());
    let refused = read(&bytes, &rotated("2026-11-22T13:00:41Z"));
    assert!(matches!(refused, Err(VerifyError::Retired { .. })));
}

#[test]
fn an_entry_of_another_predicate_is_logged_but_no_attestation() {
    let (mut log, root) = (Log::of(SIZE), log::trusted_root());
    let provider = sample::provider();
    let envelope = Envelope::sign(br#"{"_type":"other"}"#.to_vec(), &provider);
    log.leaves[0] = attest::leaf::canonical(&Sha256::of(&envelope.pae()), &envelope.sig, provider.public());
    let bytes = log.receipt_by(0, &envelope, provider.public(), ORIGIN, &log::keys());
    let logged = verify_logged(&bytes, &root, Some(provider.public())).expect("signed and logged");
    assert_eq!(logged.envelope.payload(), envelope.payload);
    assert!(matches!(read(&bytes, &root), Err(VerifyError::Statement(_))));
}

#[test]
fn fields_left_out_by_protobufs_json_read_as_zero_and_empty() {
    let (mut log, root) = (Log::of(1), log::trusted_root());
    let provider = sample::provider();
    let envelope = log::attestation(SMALL).expect("an attestation");
    log.leaves[0] = attest::leaf::canonical(&Sha256::of(&envelope.pae()), &envelope.sig, provider.public());
    let bytes = log.receipt_by(0, &envelope, provider.public(), ORIGIN, &log::keys());
    let text = String::from_utf8(bytes).expect("JSON is UTF-8");
    let short = text
        .replace("\"logIndex\":\"0\",", "")
        .replace("\"hashes\":[],", "");
    assert!(short.len() + 40 < text.len());
    assert_eq!(
        read(short.as_bytes(), &root).unwrap(),
        read(text.as_bytes(), &root).unwrap()
    );
}

#[test]
fn size_bombs_are_refused_before_they_are_read() {
    let bomb = vec![b' '; MAX_RECEIPT_BYTES + 1];
    let message = Receipt::parse(&bomb).expect_err("too large").to_string();
    assert!(
        message.contains(&(MAX_RECEIPT_BYTES + 1).to_string()),
        "{message}"
    );
    let mut receipt = Receipt::parse(sound().as_bytes()).expect("a receipt");
    receipt.proof.path = vec![Sha256::of(b""); 64];
    assert!(matches!(
        Receipt::parse(&receipt.to_json()),
        Err(ReceiptError::PathTooLong { got: 64 })
    ));
}
