//! Which device of A meets which of B, and which record which.

use attest::statement::{Device, Record};

type Same<T> = fn(&T, &T) -> bool;

/// Index pairs, closest relation first, in order inside one relation.
pub(super) fn devices(a: &[Device], b: &[Device]) -> Vec<(usize, usize)> {
    const RELATIONS: [Same<Device>; 3] = [
        |a, b| a.api == b.api && a.name == b.name,
        |a, b| a.api == b.api,
        |_, _| true,
    ];
    let mut pairs = matched(a, b, &RELATIONS);
    pairs.sort_unstable();
    pairs
}

/// Pairs of records in A's order, then what only B has. Records that differ in definition are still put side by side
/// when they are of one workload, so that the reason is seen.
pub(super) fn records<'a>(
    a: &[&'a Record],
    b: &[&'a Record],
) -> Vec<(Option<&'a Record>, Option<&'a Record>)> {
    let relations: [Same<&Record>; 4] = [
        |a, b| {
            let cache = |record: &Record| record.timing.as_ref().map(|timing| timing.cache);
            same_work(a, b)
                && a.spec_digest == b.spec_digest
                && a.case.dims == b.case.dims
                && (cache(a) == cache(b) || cache(a).is_none() || cache(b).is_none())
        },
        |a, b| same_work(a, b),
        |a, b| a.workload == b.workload && a.case.name == b.case.name,
        |a, b| a.workload == b.workload,
    ];
    let matched = matched(a, b, &relations);
    let partner = |index| matched.iter().find(|pair| pair.0 == index).map(|pair| b[pair.1]);
    let mut pairs: Vec<_> = a
        .iter()
        .enumerate()
        .map(|(index, record)| (Some(*record), partner(index)))
        .collect();
    let alone = |index: &usize| !matched.iter().any(|pair| pair.1 == *index);
    pairs.extend((0..b.len()).filter(alone).map(|index| (None, Some(b[index]))));
    pairs
}

fn same_work(a: &Record, b: &Record) -> bool {
    a.workload == b.workload && a.case.name == b.case.name && a.path == b.path
}

/// Greedy matching: for each relation in turn, each free element of `a` takes the first free one of `b`.
fn matched<T>(a: &[T], b: &[T], relations: &[Same<T>]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let (mut taken_a, mut taken_b) = (vec![false; a.len()], vec![false; b.len()]);
    for same in relations {
        for (ia, left) in a.iter().enumerate() {
            if taken_a[ia] {
                continue;
            }
            let free = |ib: &usize| !taken_b[*ib] && same(left, &b[*ib]);
            if let Some(ib) = (0..b.len()).find(free) {
                (taken_a[ia], taken_b[ib]) = (true, true);
                pairs.push((ia, ib));
            }
        }
    }
    pairs
}
