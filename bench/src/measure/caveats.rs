//! What makes a record compare with no other.

use attest::statement::{Caveat, Record};

/// Processor time taken by other virtual machines past which the machine counts as shared, in parts per million. Idle
/// neighbours cost under 1 %.
const STEAL_PPM: u64 = 20_000;

/// What the record's own figures call for, and what the host's say on top.
pub(crate) fn caveats(record: &Record) -> Vec<Caveat> {
    let mut caveats: Vec<Caveat> = record.required_caveats().collect();
    let stolen = record
        .conditions
        .iter()
        .any(|at| at.steal_ppm.is_some_and(|ppm| ppm > STEAL_PPM));
    if stolen && !caveats.contains(&Caveat::Shared) {
        caveats.push(Caveat::Shared);
    }
    caveats
}
