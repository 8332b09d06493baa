//! Every answer a registry ever gave, and holding it to them.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use attest::checkpoint::{self, Checkpoint};
use attest::digest::Sha256;
use attest::merkle;
use attest::receipt::Receipt;
use attest::tile::{HashReader, TileId};
use attest::trust::TrustedRoot;

use crate::campaign::Tally;
use crate::providers::{self, Provider};
use crate::wire::{Answer, Wire};

type Failure = Box<dyn Error + Send + Sync>;

/// Everything the registry has said so far.
#[derive(Default)]
pub(crate) struct Said {
    /// Digest, path and bytes of the receipt of each acknowledged index.
    pub(crate) receipts: BTreeMap<u64, (Sha256, String, Vec<u8>)>,
    indices: HashMap<Sha256, u64>,
    /// Every checkpoint seen in an answer, by size.
    checkpoints: BTreeMap<u64, (Checkpoint, String)>,
    /// Submitted without an answer.
    pub(crate) open: Vec<(Sha256, Vec<u8>)>,
}

/// Keeps an answer, and panics when it contradicts one before.
pub(crate) fn record(said: &mut Said, digest: Sha256, path: String, answer: Answer) {
    assert!(
        matches!(answer.status, 200 | 201),
        "{} {}",
        answer.status,
        answer.text()
    );
    let receipt = Receipt::parse(&answer.body).expect("a receipt");
    let (index, proof) = (receipt.log_index, &receipt.proof);
    assert_eq!(
        Sha256::of(&receipt.envelope.pae()),
        digest,
        "the receipt is for what was sent"
    );
    merkle::verify_inclusion(
        index,
        proof.tree_size,
        &merkle::leaf_hash(&receipt.leaf),
        &proof.path,
        &proof.root,
    )
    .expect("the proof holds");
    if let Some((other, _, before)) = said.receipts.get(&index) {
        assert_eq!(*other, digest, "index {index} was given out twice");
        assert!(*before == answer.body, "the receipt of {index} changed");
    }
    assert!(
        said.indices
            .insert(digest, index)
            .is_none_or(|before| before == index),
        "{digest} stands at two indices"
    );
    let claimed = checkpoint::Unverified::parse(&proof.checkpoint)
        .expect("a checkpoint")
        .claimed()
        .clone();
    let (seen, _) = said
        .checkpoints
        .entry(proof.tree_size)
        .or_insert_with(|| (claimed.clone(), proof.checkpoint.clone()));
    assert_eq!(*seen, claimed, "two checkpoints of {} entries", proof.tree_size);
    said.receipts.insert(index, (digest, path, answer.body));
}

/// The newest answers before a kill are the ones at risk: they must all be there after it. A kill may cut this short.
pub(crate) fn check_sample(address: SocketAddr, said: &Mutex<Said>) -> Result<(), Failure> {
    let newest: Vec<_> = lock(said).receipts.values().rev().take(32).cloned().collect();
    let Ok(mut wire) = Wire::connect(address) else {
        return Ok(());
    };
    for (digest, path, receipt) in newest {
        let Ok(answer) = wire.get(&path) else {
            return Ok(());
        };
        if answer.status != 200 || answer.body != receipt {
            return Err(format!(
                "after a kill {digest} answers {}: {}",
                answer.status,
                answer.text()
            )
            .into());
        }
    }
    Ok(())
}

/// Every acknowledged receipt is given again byte for byte; everything unanswered is submitted again.
pub(crate) fn check_answers(address: SocketAddr, said: &mut Said, tally: &mut Tally) -> Result<(), Failure> {
    let mut wire = Wire::connect(address)?;
    for (index, (_, path, receipt)) in &said.receipts {
        let answer = wire.get(path)?;
        if answer.status != 200 || answer.body != *receipt {
            return Err(format!("entry {index} answers {}: {}", answer.status, answer.text()).into());
        }
    }
    let open = std::mem::take(&mut said.open);
    tally.unanswered = open.len() as u64;
    for (digest, body) in open {
        let answer = wire.post(&body)?;
        tally.unanswered_but_logged += u64::from(answer.status == 200);
        record(said, digest, receipt_path(&digest), answer);
    }
    Ok(())
}

/// Every attempt ends, with one verdict; what was answered about it before is answered again.
pub(crate) fn check_attempts(
    address: SocketAddr,
    said: &mut Said,
    providers: &mut [Provider],
    tally: &mut Tally,
) -> Result<(), Failure> {
    for provider in providers.iter_mut() {
        provider.finish(address)?;
    }
    let ended: BTreeMap<String, (Sha256, Answer)> = providers::ended(address)?;
    for (path, receipt) in providers.iter().flat_map(|provider| &provider.answered) {
        match ended.get(path) {
            Some((_, answer)) if answer.body == *receipt => {}
            _ => return Err(format!("{path} was answered once and is no longer").into()),
        }
    }
    tally.attempts = ended.len() as u64 / 2;
    tally.proven = providers.iter().map(|provider| provider.proven).sum();
    let asked: u64 = providers.iter().map(|provider| provider.requests).sum();
    if tally.attempts != asked {
        return Err(format!("{asked} requests made {} attempts", tally.attempts).into());
    }
    for (path, (digest, answer)) in ended {
        record(said, digest, path, answer);
    }
    Ok(())
}

pub(crate) fn receipt_path(digest: &Sha256) -> String {
    format!("/api/v1/attestations/{digest}/receipt")
}

/// Every checkpoint ever seen is signed and is a prefix of the last.
pub(crate) fn check_history(
    address: SocketAddr,
    folder: &Path,
    said: &Said,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let root = TrustedRoot::parse(&std::fs::read(folder.join("trusted_root.json"))?)?;
    let mut wire = Wire::connect(address)?;
    let note = String::from_utf8(wire.get("/checkpoint")?.body)?;
    let origin = checkpoint::Unverified::parse(&note)?.claimed().origin.clone();
    let trust = root.log(&origin).ok_or("the log's key is not trusted")?;
    let last = checkpoint::open(&note, &trust)?;
    let mut reader = HashReader::new(last.size, |id: TileId| -> Result<Vec<u8>, String> {
        let answer = wire
            .get(&format!("/{}", id.path()))
            .map_err(|error| error.to_string())?;
        if answer.status == 200 {
            Ok(answer.body)
        } else {
            Err(format!("{} answers {}", id.path(), answer.status))
        }
    });
    for (seen, note) in said.checkpoints.values() {
        checkpoint::open(note, &trust)?;
        let path = merkle::consistency_path(seen.size, last.size, |level, index| reader.hash(level, index))
            .map_err(|error| error.to_string())?;
        last.follows(seen, &path)?;
    }
    tally.checkpoints = said.checkpoints.len();
    Ok(())
}

pub(crate) fn lock(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}
