//! One proof on one device: loaded ahead, committed to on a seed, opened where it is asked.

use std::time::{Duration, Instant};

use attest::digest::Sha256;
use attest::merkle;
use attest::proof::{Opening, Work};
use attest::spec::Dims;
use attest::statement::PathClass;
use kernels::device::{Device, DeviceError, Loaded};
use kernels::tree;
use kernels::workload::Workload;

use crate::exit::{Done, OrFail as _, Outcome, fail};

/// A proof in a device's memory.
pub(super) struct Prover<'a> {
    work: Work,
    workload: &'static Workload,
    dims: Dims,
    loaded: Box<dyn Loaded + 'a>,
    /// Which outputs they are.
    state: usize,
    tree: usize,
}

/// How long the steps of a commitment took, by the host's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Phases {
    /// Drawing the inputs and writing them to the device.
    pub write: Duration,
    pub run: Duration,
    pub read_root: Duration,
    pub open: Duration,
}

/// The workload that computes `work`, and the case of it.
pub(super) fn case(work: &Work) -> Done<(&'static Workload, Dims)> {
    let id = work.workload();
    let workload = kernels::catalogue::find(id)
        .ok_or_else(|| fail!(Usage, "this program has no workload {id:?}").hint("use a newer hallmark"))?;
    // Lengths of keys and hashes, which are those of every case.
    let mut dims = workload
        .spec
        .cases
        .first()
        .map(|case| case.dims.clone())
        .unwrap_or_default();
    dims.extend(work.dims());
    dims.insert("nodes".to_owned(), tree::nodes(work.lanes()));
    Ok((workload, dims))
}

impl<'a> Prover<'a> {
    /// Allocates and compiles; inputs are of a seed that proves nothing.
    pub(super) fn load(device: &'a dyn Device, work: Work) -> Done<Self> {
        let (workload, dims) = case(&work)?;
        let inputs = kernels::inputs::generate(workload, &dims, &random()?.0);
        let output = |name: &str| {
            let outputs = &workload.spec.outputs;
            outputs
                .iter()
                .position(|output| output.name == name)
                .ok_or_else(|| fail!(Unfit, "{} has no output {name:?}", workload.spec.id))
        };
        let (state, tree) = (output("state")?, output("tree")?);
        let mut loaded = device
            .load(workload, PathClass::Portable, &dims, &inputs, 1)
            .or_fail(Outcome::Unfit)?;
        // Touches the memory, so that no page is given out while the clock runs.
        loaded.poison().or_fail(Outcome::Unfit)?;
        Ok(Self {
            work,
            workload,
            dims,
            loaded,
            state,
            tree,
        })
    }

    /// Does the work of `seed` and gives the root over its lanes.
    pub(super) fn commit(&mut self, seed: &Sha256) -> Done<(Sha256, Phases)> {
        self.committed(seed).or_fail(Outcome::Unfit)
    }

    fn committed(&mut self, seed: &Sha256) -> Result<(Sha256, Phases), DeviceError> {
        let began = Instant::now();
        let inputs = kernels::inputs::generate(self.workload, &self.dims, &seed.0);
        for (index, bytes) in inputs.iter().enumerate() {
            self.loaded.write(index, bytes)?;
        }
        let written = Instant::now();
        self.loaded.run(1)?;
        let ran = Instant::now();
        let offset = tree::root(self.work.lanes()).expect("work that was checked has a lane");
        let root = self.hash(offset)?;
        let phases = Phases {
            write: written - began,
            run: ran - written,
            read_root: ran.elapsed(),
            open: Duration::ZERO,
        };
        Ok((root, phases))
    }

    /// The final states of `lanes` with their paths to the root.
    pub(super) fn open(&mut self, lanes: &[u64]) -> Done<Vec<Opening>> {
        let openings = lanes.iter().map(|&lane| self.opening(lane));
        openings.collect()
    }

    fn opening(&mut self, lane: u64) -> Done<Opening> {
        let offsets = tree::path(self.work.lanes(), lane)
            .ok_or_else(|| fail!(Io, "lane {lane} was asked for; there are {}", self.work.lanes()))?;
        let bytes = self.work.lane_bytes();
        let state = self
            .loaded
            .read_range(self.state, 0, lane * bytes, bytes as usize);
        let state = state.or_fail(Outcome::Unfit)?;
        let path = offsets.iter().map(|&offset| self.hash(offset));
        let path = path.collect::<Result<_, _>>().or_fail(Outcome::Unfit)?;
        Ok(Opening { lane, state, path })
    }

    fn hash(&mut self, offset: u64) -> Result<Sha256, DeviceError> {
        let bytes = self.loaded.read_range(self.tree, 0, offset, tree::HASH)?;
        Ok(Sha256(bytes.try_into().expect("as many bytes as were asked for")))
    }

    /// Does the work of a seed that proves nothing, and checks its first and last lane as the registry would: a device that
    /// computes wrong is told here, not in the log.
    pub(super) fn rehearse(&mut self, device: &str) -> Done<Phases> {
        let seed = random()?;
        let (root, phases) = self.commit(&seed)?;
        let lanes = self.work.lanes();
        let mut checked = vec![0, lanes - 1];
        checked.dedup();
        let openings = self.open(&checked)?;
        let states = self.work.recompute(&seed, &checked);
        let states = states.map_err(|reason| fail!(Unfit, "{reason}"))?;
        for (opening, state) in openings.iter().zip(&states) {
            let leaf = merkle::leaf_hash(&opening.state);
            let included = merkle::verify_inclusion(opening.lane, lanes, &leaf, &opening.path, &root);
            if opening.state != *state || included.is_err() {
                return Err(fail!(
                    Unfit,
                    "{device}: {} computes lane {} wrong, so nothing could be proven",
                    self.workload.spec.id,
                    opening.lane
                )
                .hint("update its driver; other devices are not affected"));
            }
        }
        Ok(phases)
    }
}

/// 256 random bits: a salt, or a seed for warming up and rehearsing.
pub(super) fn random() -> Done<Sha256> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| fail!(Unfit, "the system gives no random bytes: {error}"))?;
    Ok(Sha256(seed))
}

#[cfg(test)]
mod tests;
