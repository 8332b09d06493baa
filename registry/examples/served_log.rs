//! Parts for checking a served log: `served_log submissions COUNT DIR` makes that many different bodies to submit,
//! `served_log consistency DIR` writes the proof from `checkpoint.older` to `checkpoint`, made from the tiles there.
//! `ci/independent/served` uses both.

#[path = "../tests/it/sample.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod sample;

use std::error::Error;
use std::fs;
use std::path::Path;

use attest::checkpoint::{self, Checkpoint};
use attest::key::SigningKey;
use attest::merkle;
use attest::tile::HashReader;
use attest::trust::TrustedRoot;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use sample::sample;

type Done = Result<(), Box<dyn Error>>;

fn main() -> Done {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["submissions", count, folder] => submissions(count.parse()?, Path::new(folder)),
        ["consistency", folder] => consistency(Path::new(folder)),
        _ => Err("usage: served_log submissions COUNT DIR | consistency DIR".into()),
    }
}

fn submissions(count: u64, folder: &Path) -> Done {
    fs::create_dir_all(folder)?;
    let key = SigningKey::generate()?;
    for number in 0..count {
        fs::write(folder.join(format!("{number}.json")), sample(number, &key).body)?;
    }
    Ok(())
}

fn consistency(folder: &Path) -> Done {
    let root = TrustedRoot::parse(&fs::read(folder.join("trusted_root.json"))?)?;
    let [older, newest] = ["checkpoint.older", "checkpoint"].map(|name| open(&root, &folder.join(name)));
    let (older, newest) = (older?, newest?);
    let mut reader = HashReader::new(newest.size, |id| fs::read(folder.join(id.path())));
    let proof = merkle::consistency_path(older.size, newest.size, |level, index| reader.hash(level, index))?;
    newest.follows(&older, &proof)?;
    let lines: String = proof.iter().map(|hash| STANDARD.encode(hash.0) + "\n").collect();
    Ok(fs::write(folder.join("consistency"), lines)?)
}

fn open(root: &TrustedRoot, path: &Path) -> Result<Checkpoint, Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    let origin = text.lines().next().unwrap_or_default();
    let log = root
        .log(origin)
        .ok_or("the checkpoint is of a log that is not trusted")?;
    Ok(checkpoint::open(&text, &log)?)
}
