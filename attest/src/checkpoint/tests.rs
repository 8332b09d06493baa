use super::*;
use crate::merkle::{consistency_path, leaf_hash, root};

const ORIGIN: &str = "log.example/2026";

fn log() -> (LogKeys, LogTrust) {
    let keys = LogKeys::generate().unwrap();
    let trust = keys.trust(ORIGIN);
    (keys, trust)
}

fn leaves(count: u64) -> Vec<Sha256> {
    (0..count).map(|i| leaf_hash(&i.to_le_bytes())).collect()
}

fn checkpoint(leaves: &[Sha256]) -> Checkpoint {
    Checkpoint {
        origin: ORIGIN.to_owned(),
        size: leaves.len() as u64,
        root: root(leaves),
    }
}

#[test]
fn a_checkpoint_opens_as_it_was_signed() {
    let (keys, trust) = log();
    for size in [0, 1, 600] {
        let checkpoint = checkpoint(&leaves(size));
        let note = sign(&checkpoint, &keys).unwrap();
        assert_eq!(open(&note, &trust).unwrap(), checkpoint);
        assert_eq!(note.lines().count(), 6);
    }
}

#[test]
fn every_flipped_byte_and_every_truncation_is_refused() {
    let (keys, trust) = log();
    let note = sign(&checkpoint(&leaves(5)), &keys).unwrap();
    for at in 0..note.len() {
        assert!(
            open(&String::from_utf8_lossy(&note.as_bytes()[..at]), &trust).is_err(),
            "cut at {at}"
        );
        for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= mask;
            if let Ok(text) = String::from_utf8(bytes) {
                assert!(open(&text, &trust).is_err(), "byte {at} ^ {mask}");
            }
        }
    }
}

#[test]
fn a_missing_line_a_wrong_signature_and_another_logs_key_are_told_apart() {
    let (keys, trust) = log();
    let note = sign(&checkpoint(&leaves(5)), &keys).unwrap();
    let lines: Vec<_> = note.split_inclusive('\n').collect();
    let without = |line: usize| [&lines[..line], &lines[line + 1..]].concat().concat();
    for (line, algorithm) in [(4, "ECDSA P-256"), (5, "Ed25519")] {
        let refused = open(&without(line), &trust);
        assert!(matches!(refused, Err(CheckpointError::Unsigned { algorithm: a, .. }) if a == algorithm));
    }
    let edited = note.replacen("\n5\n", "\n6\n", 1);
    assert!(matches!(
        open(&edited, &trust),
        Err(CheckpointError::Signature { .. })
    ));
    let (_, stranger) = log();
    assert!(matches!(
        open(&note, &stranger),
        Err(CheckpointError::Unsigned { .. })
    ));
    let elsewhere = keys.trust("log.example/2027");
    assert!(matches!(
        open(&note, &elsewhere),
        Err(CheckpointError::Origin { .. })
    ));
    let nobody = LogTrust {
        keys: Vec::new(),
        ..trust
    };
    assert!(matches!(
        open(&note, &nobody),
        Err(CheckpointError::NoKeys { .. })
    ));
}

#[test]
fn lines_of_unknown_witnesses_are_left_alone() {
    let (keys, trust) = log();
    let checkpoint = checkpoint(&leaves(3));
    let mut note = sign(&checkpoint, &keys).unwrap();
    note.push_str("\u{2014} witness.example/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n");
    assert_eq!(open(&note, &trust).unwrap(), checkpoint);
    let (other, _) = log();
    let foreign = sign(&checkpoint, &other).unwrap();
    let foreign_line = foreign.lines().last().unwrap();
    assert_eq!(
        open(&format!("{note}{foreign_line}\n"), &trust).unwrap(),
        checkpoint
    );
}

#[test]
fn a_second_bad_signature_by_a_trusted_key_spoils_the_first_good_one() {
    let (keys, trust) = log();
    let note = sign(&checkpoint(&leaves(3)), &keys).unwrap();
    let other = sign(&checkpoint(&leaves(4)), &keys).unwrap();
    let stolen = other.lines().last().unwrap();
    let refused = open(&format!("{note}{stolen}\n"), &trust);
    assert!(matches!(
        refused,
        Err(CheckpointError::Signature {
            algorithm: "Ed25519",
            ..
        })
    ));
}

#[test]
fn texts_that_are_no_checkpoint_are_refused_by_their_cause() {
    let hash = STANDARD.encode(root(&leaves(5)).0);
    let read = |text: &str| Checkpoint::from_text(text).unwrap_err();
    assert_eq!(
        read(&format!("o\n5\n{hash}\nextension\n")),
        CheckpointError::LineCount { got: 4 }
    );
    assert_eq!(read("o\n5\n"), CheckpointError::LineCount { got: 2 });
    for size in [
        "-1",
        "+5",
        "05",
        "5 ",
        "",
        "0x5",
        "9223372036854775808",
        "18446744073709551616",
    ] {
        assert_eq!(
            read(&format!("o\n{size}\n{hash}\n")),
            CheckpointError::Size {
                text: size.to_owned()
            }
        );
    }
    for root in [
        "",
        "AAAA",
        &hash[..43],
        &hash.replace('=', "A"),
        &format!("{hash}AAAA"),
    ] {
        assert!(
            matches!(read(&format!("o\n5\n{root}\n")), CheckpointError::Root { .. }),
            "{root}"
        );
    }
    assert!(matches!(
        read(&format!("o\n0\n{hash}\n")),
        CheckpointError::EmptyTreeRoot { .. }
    ));
    for origin in ["", "a b", "a+b"] {
        assert!(matches!(
            read(&format!("{origin}\n5\n{hash}\n")),
            CheckpointError::Note(NoteError::Name { .. })
        ));
    }
}

#[test]
fn nothing_is_signed_that_could_not_be_read_again() {
    let (keys, _) = log();
    let good = checkpoint(&leaves(5));
    assert!(
        sign(
            &Checkpoint {
                origin: "two words".to_owned(),
                ..good.clone()
            },
            &keys
        )
        .is_err()
    );
    assert!(
        sign(
            &Checkpoint {
                size: 1 << 63,
                ..good.clone()
            },
            &keys
        )
        .is_err()
    );
    assert!(sign(&Checkpoint { size: 0, ..good }, &keys).is_err());
}

#[test]
fn an_older_checkpoint_a_fork_and_a_rewritten_past_are_told_apart() {
    let all = leaves(9);
    let (old, new) = (checkpoint(&all[..6]), checkpoint(&all));
    let read = |level: u8, index: u64| {
        let under = (index << level) as usize..((index + 1) << level) as usize;
        Ok::<_, std::convert::Infallible>(root(&all[under]))
    };
    let proof = consistency_path(6, 9, read).unwrap();
    assert_eq!(new.follows(&old, &proof), Ok(()));
    assert_eq!(new.follows(&new, &[]), Ok(()));
    assert_eq!(
        old.follows(&new, &proof),
        Err(HistoryError::Older { got: 6, seen: 9 })
    );
    assert!(matches!(
        new.follows(&old, &proof[1..]),
        Err(HistoryError::Inconsistent { .. })
    ));

    let fork = Checkpoint {
        root: leaf_hash(b"fork"),
        ..old.clone()
    };
    assert!(matches!(
        fork.follows(&old, &[]),
        Err(HistoryError::Fork { size: 6, .. })
    ));
    assert!(matches!(
        new.follows(&fork, &proof),
        Err(HistoryError::Inconsistent { .. })
    ));
    let elsewhere = Checkpoint {
        origin: "other".to_owned(),
        ..old
    };
    assert!(matches!(
        new.follows(&elsewhere, &proof),
        Err(HistoryError::OtherLog { .. })
    ));
}

#[test]
fn log_keys_read_back_from_pem_with_and_without_a_password() {
    let (keys, trust) = log();
    for password in [None, Some(&b"correct horse"[..])] {
        let pem = keys.to_pem(password).unwrap();
        assert_eq!(LogKeys::from_pem(&pem, password).unwrap().trust(ORIGIN), trust);
    }
    let pem = keys.to_pem(Some(b"right")).unwrap();
    let open = |pem: &str, password| LogKeys::from_pem(pem, password).unwrap_err();
    assert!(matches!(
        open(&pem, None),
        LogKeysError::Ecdsa(crate::key::KeyError::PasswordNeeded)
    ));
    assert!(matches!(
        open(&pem, Some(b"wrong")),
        LogKeysError::Ecdsa(crate::key::KeyError::WrongPassword)
    ));
    let one = keys.ecdsa.to_pem(None).unwrap();
    assert!(matches!(open(&one, None), LogKeysError::BlockCount { got: 1 }));
    let twice = format!("{}{}", *one, *one);
    assert!(matches!(open(&twice, None), LogKeysError::Ed25519(_)));
}

#[test]
fn public_keys_read_back_from_their_spki_and_weak_ones_are_refused() {
    let (_, trust) = log();
    let spki = trust.keys[1].spki_der();
    assert_eq!(LogKey::ed25519_from_spki(&spki).as_ref(), Some(&trust.keys[1]));
    assert_eq!(LogKey::ed25519_from_spki(&spki[1..]), None);
    let mut weak = ED25519_IDENTITY.to_vec();
    assert_eq!(LogKey::ed25519_from_spki(&weak), None);
    weak.pop();
    assert_eq!(LogKey::ed25519_from_spki(&weak), None);
}

/// SubjectPublicKeyInfo of the neutral element, for which some signatures hold for every message.
const ED25519_IDENTITY: [u8; 44] = {
    let mut spki = [0; 44];
    let prefix = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00, 1,
    ];
    let mut at = 0;
    while at < prefix.len() {
        spki[at] = prefix[at];
        at += 1;
    }
    spki
};
