//! Several attempts one after the other: each proof on each group of devices.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kernels::device::Device;

use super::attempt::{Proved, Registrar};
use super::host::{Devices, Host, groups, share_the_processor};
use super::prepare::Wanted;
use super::size::Proof;
use crate::exit::Done;
use crate::{files, talk};

/// What to prove, and where its papers go.
pub(crate) struct Campaign<'a> {
    pub registrar: &'a Registrar,
    pub host: &'a Host,
    pub proofs: &'a [Proof],
    pub target: Duration,
    pub folder: &'a Path,
}

/// An attempt and its files.
pub(crate) struct Kept {
    pub proved: Proved,
    pub transcript: PathBuf,
    pub verdict: PathBuf,
}

impl Campaign<'_> {
    /// Proves on all `devices`. Gives them back in the order in which they worked.
    pub(crate) fn run(&self, devices: Devices) -> Done<(Vec<Kept>, Devices)> {
        if share_the_processor(devices.iter().map(|device| device.facts())) {
            talk::say("devices that share the processor prove one after another, in attempts of their own");
        }
        let mut groups = groups(self.host, devices);
        let mut kept = Vec::new();
        for group in &mut groups {
            for &proof in self.proofs {
                let wanted = vec![
                    Wanted::Filling {
                        proof,
                        target: self.target
                    };
                    group.len()
                ];
                let proved = self.registrar.prove(self.host, group, &wanted)?;
                kept.push(keep(self.folder, &stem(group, proof), proved)?);
            }
        }
        Ok((kept, groups.into_iter().flatten().collect()))
    }
}

/// Writes transcript and verdict.
pub(crate) fn keep(folder: &Path, stem: &str, proved: Proved) -> Done<Kept> {
    let transcript = folder.join(format!("{stem}.transcript.json"));
    let verdict = folder.join(format!("{stem}.verdict.json"));
    files::write(&transcript, &proved.transcript)?;
    files::write(&verdict, &proved.judged.receipt)?;
    Ok(Kept {
        proved,
        transcript,
        verdict,
    })
}

/// `cuda0-mlp`: named by the first device of the group.
fn stem(group: &[Box<dyn Device>], proof: Proof) -> String {
    let first = group
        .first()
        .map_or_else(String::new, |device| device.facts().id.replace(':', ""));
    format!("{first}-{}", proof.name())
}
