//! Results of the last inputs, kept: a reference is asked for one row at a time, but makes all of them at once.

use std::sync::{Arc, Mutex, PoisonError};

use attest::spec::Dims;

type Outputs = Arc<Vec<Vec<f64>>>;

/// As many as are compared side by side.
const KEPT: usize = 2;

static LAST: Mutex<Vec<((Dims, u64), Outputs)>> = Mutex::new(Vec::new());

/// What `make` gives for these inputs. It must not wait for other tasks of the caller's thread pool: they may wait for it.
pub(super) fn outputs(dims: &Dims, inputs: &[&[u8]], make: impl FnOnce() -> Vec<Vec<f64>>) -> Outputs {
    let key = (dims.clone(), inputs.iter().fold(0, |sum, input| mix(sum, input)));
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, outputs)) = last.iter().find(|(kept, _)| *kept == key) {
        return Arc::clone(outputs);
    }
    let outputs = Arc::new(make());
    last.truncate(KEPT - 1);
    last.insert(0, (key, Arc::clone(&outputs)));
    outputs
}

/// A digest at the speed of memory, of whole words: inputs differ by accident here, not by design.
fn mix(start: u64, bytes: &[u8]) -> u64 {
    const LANES: usize = 8;
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let step = |lane: u64, word: u64| (lane ^ word).wrapping_mul(ODD).rotate_left(29);
    let mut lanes = [start; LANES];
    let (words, rest) = bytes.as_chunks::<8>();
    for chunk in words.chunks(LANES) {
        for (lane, word) in lanes.iter_mut().zip(chunk) {
            *lane = step(*lane, u64::from_le_bytes(*word));
        }
    }
    let rest = rest
        .iter()
        .fold(bytes.len() as u64, |sum, &byte| sum << 8 | u64::from(byte));
    lanes.into_iter().fold(rest, step)
}
