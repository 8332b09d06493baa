//! Writes a log of 600 entries and everything a stranger needs to check one of them, made with this crate alone:
//! `cargo run --release -p hallmark-attest --example sample_log -- DIR`. Programs that are not ours read it in
//! `ci/independent/run DIR`.

#[path = "../tests/it/sample.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod sample;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use attest::checkpoint::{self, Checkpoint, LogKeys};
use attest::digest::Sha256;
use attest::dsse::Envelope;
use attest::key::SigningKey;
use attest::tile::{self, Edge, HashReader};
use attest::trust::TrustedRoot;
use attest::{leaf, merkle, receipt, verify};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

type Done<T = ()> = Result<T, Box<dyn Error>>;

const ORIGIN: &str = "log.hallmark.example/sample";
/// Two full tiles, a partial one, and a second level.
const ENTRIES: u64 = 600;
const OLDER: u64 = 300;
/// Where the attestation stands, amid made-up entries.
const INDEX: u64 = 345;
const PASSWORD: &str = "correct horse battery staple";

fn main() -> Done {
    let folder = std::env::args_os().nth(1).ok_or("usage: sample_log DIR")?;
    let folder = Folder(folder.into());
    let signer = SigningKey::generate()?;
    folder.write("key.pem", signer.to_pem(Some(PASSWORD.as_bytes()))?.as_bytes())?;
    folder.write("password", PASSWORD.as_bytes())?;
    folder.write("signer.pub.pem", signer.public().to_pem().as_bytes())?;

    let statement = sample::statement(&sample::two_devices()).to_bytes()?;
    let envelope = Envelope::sign(statement, &signer);
    folder.write("statement.json", &envelope.payload)?;
    folder.write("envelope.json", &envelope.to_json())?;

    let keys = LogKeys::generate()?;
    let trust = keys.trust(ORIGIN);
    let root = TrustedRoot::new(&trust, "2026-01-01T00:00:00Z".parse()?)?;
    folder.write("trusted_root.json", &root.to_json())?;

    let leaves: Vec<_> = (0..ENTRIES)
        .map(|index| leaf_at(index, &envelope, &signer))
        .collect();
    let mut edge = Edge::new();
    folder.grow(&mut edge, &leaves[..OLDER as usize])?;
    let older = sign(&edge, &keys)?;
    folder.grow(&mut edge, &leaves)?;
    let newest = sign(&edge, &keys)?;
    folder.write("checkpoint.older", older.as_bytes())?;
    folder.write("checkpoint", newest.as_bytes())?;

    let mut reader = HashReader::new(ENTRIES, |id| fs::read(folder.0.join(id.path())));
    let path = merkle::inclusion_path(ENTRIES, INDEX, |level, index| reader.hash(level, index))?;
    let proof = merkle::consistency_path(OLDER, ENTRIES, |level, index| reader.hash(level, index))?;
    folder.write("consistency", base64_lines(&proof).as_bytes())?;
    let receipt = receipt::build(&envelope, signer.public(), INDEX, &newest, &path, &trust)?;
    folder.write("receipt.json", &receipt)?;

    let verified = verify::verify_receipt(&receipt, &root, Some(signer.public()))?;
    let seen = checkpoint::open(&older, &trust)?;
    verified.checkpoint.follows(&seen, &proof)?;
    Ok(())
}

/// The attestation's leaf at [`INDEX`], elsewhere a leaf about nothing.
fn leaf_at(index: u64, envelope: &Envelope, signer: &SigningKey) -> Vec<u8> {
    if index == INDEX {
        return leaf::canonical(&Sha256::of(&envelope.pae()), &envelope.sig, signer.public());
    }
    let digest = Sha256::of(&index.to_le_bytes());
    leaf::canonical(&digest, &signer.sign_digest(&digest), signer.public())
}

fn sign(edge: &Edge, keys: &LogKeys) -> Done<String> {
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: edge.size(),
        root: edge.root(),
    };
    Ok(checkpoint::sign(&checkpoint, keys)?)
}

fn base64_lines(hashes: &[Sha256]) -> String {
    hashes.iter().map(|hash| STANDARD.encode(hash.0) + "\n").collect()
}

struct Folder(PathBuf);

impl Folder {
    fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Done {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a file lies in a folder"))?;
        Ok(fs::write(path, bytes)?)
    }

    /// Appends what `leaves` has beyond the edge, and writes every tile and bundle this touches.
    fn grow(&self, edge: &mut Edge, leaves: &[Vec<u8>]) -> Done {
        let hashes: Vec<_> = leaves[edge.size() as usize..]
            .iter()
            .map(|leaf| merkle::leaf_hash(leaf))
            .collect();
        for tile in edge.append(&hashes) {
            self.write(tile.id.path(), &tile::encode(&tile.hashes))?;
        }
        for (index, entries) in (0..).zip(leaves.chunks(tile::FULL as usize)) {
            let path = tile::entries_path(index, entries.len() as u16);
            self.write(path, &tile::encode_entries(entries)?)?;
        }
        Ok(())
    }
}
