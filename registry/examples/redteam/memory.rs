//! `proof.vram` with a part of the table: what is missing is computed when it is read.

use attest::digest::Sha256;
use attest::exact::vram::{Params, Vram};
use attest::proof::{Work, seeds};

use super::line::Line;
use super::{Crook, Site, is_proven, median};
use crate::prover::Done;

/// A campaign takes tables of 32 MiB, which no first- or second-level cache holds; a short one of 512 KiB.
const ENTRIES: [u64; 2] = [1 << 20, 1 << 14];

/// Reads for each entry: enough that filling the table is the smaller part.
const READS: u64 = 8;

const LANES: u64 = 1 << 13;

/// Each takes half a minute, and their ratio is steady.
const TRIALS: usize = 3;

/// Shares of the table that are kept: one in so many.
const PARTS: [u64; 3] = [2, 4, 8];

pub(crate) fn lines(site: &Site, trials: usize) -> Vec<Line> {
    let entries = ENTRIES[usize::from(trials < 100)];
    let mut crook = site.crook();
    let mut slower = [const { Vec::new() }; PARTS.len()];
    for _ in 0..trials.min(TRIALS) {
        let honest = rate(&mut crook, entries, 1);
        for (part, slower) in PARTS.into_iter().zip(&mut slower) {
            slower.push(honest / rate(&mut crook, entries, part));
        }
    }
    let lines = PARTS.into_iter().zip(slower).map(|(part, mut slower)| {
        let trials = slower.len();
        let caught = slower.iter().filter(|&&ratio| ratio > 2.0).count();
        let times = median(&mut slower);
        let expected = format!(
            "all: below half of the honest rate; measured {times:.1} times slower; table of {} KiB, one thread",
            entries >> 5
        );
        Line::measured(
            &format!("1/{part} of the table kept for proof.vram"),
            "16 compressions for each missing entry",
            trials,
            caught,
            expected,
            times > 2.0,
        )
    });
    lines.collect()
}

/// Proven reads a second with one entry in `part` kept: the same code for all.
fn rate(crook: &mut Crook<'_>, entries: u64, part: u64) -> f64 {
    let params = Params {
        entries,
        lanes: LANES,
        steps: READS * entries / LANES,
        rounds: 16,
    };
    let work = Work::Vram {
        entries,
        lanes: params.lanes,
        steps: params.steps,
        rounds: params.rounds,
    };
    let (held, seed) = crook.begin(&[work]);
    let seed = seeds::task(&seed, 0);
    let vram = Vram::new(&seed.0, params).unwrap();
    let kept: Vec<[u8; 32]> = (0..entries / part).map(|index| vram.entry(index)).collect();
    let lane_key = Sha256::of_parts(&[b"hallmark.vram.lane.v1\0", &seed.0]);
    let states = (0..params.lanes).map(|lane| {
        let start = Sha256::of_parts(&[&lane_key.0, &lane.to_le_bytes()]);
        walk(&vram, &kept, params, start.0)
    });
    let verdict = crook.prove(&held, Done::of(states.collect()));
    assert!(is_proven(&verdict), "{:?}", verdict.reason);
    let proven = verdict.tasks[0].proven.as_ref().unwrap();
    proven.rate.0 as f64
}

fn walk(vram: &Vram, kept: &[[u8; 32]], params: Params, start: [u8; 32]) -> Vec<u8> {
    let mut state = words(&start);
    for _ in 0..params.steps {
        let index = u64::from(state[0]) & (params.entries - 1);
        let entry = match kept.get(index as usize) {
            Some(entry) => words(entry),
            None => words(&vram.entry(index)),
        };
        let mixed: [u32; 8] = std::array::from_fn(|w| (state[w] ^ entry[w]).wrapping_mul(0x9E37_79B1));
        state = std::array::from_fn(|w| mixed[w].wrapping_add(mixed[(w + 1) % 8].rotate_left(13)));
    }
    state.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn words(bytes: &[u8; 32]) -> [u32; 8] {
    let (words, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|w| u32::from_le_bytes(words[w]))
}
