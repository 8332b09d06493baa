//! `proof.vram` with a part of the table: what is missing is computed when it is read.

use attest::digest::Sha256;
use attest::dsse::Envelope;
use attest::exact::vram::{Params, Vram};
use attest::proof::{READS_OF_AN_ENTRY, Work, seeds};

use super::line::Line;
use super::{Crook, Site, is_proven, median, slug};
use crate::prover::{Done, request};
use crate::sample::body;

/// A table that is tried in every trial.
const SMALL: Table = Table {
    entries: 1 << 10,
    lanes: 1 << 8,
};

/// 32 MiB, which no first- or second-level cache holds; 512 KiB in a short campaign. Each trial takes minutes, and the
/// ratio is steady.
const LARGE: Table = Table {
    entries: 1 << 20,
    lanes: 1 << 13,
};
const MIDDLE: Table = Table {
    entries: 1 << 14,
    lanes: 1 << 10,
};
const LARGE_TRIALS: usize = 3;

/// Shares of the table that are kept: one in so many.
const PARTS: [u64; 3] = [2, 4, 8];

#[derive(Clone, Copy)]
struct Table {
    entries: u64,
    lanes: u64,
}

impl Table {
    /// As few reads as the registry takes, which is where keeping a part costs least.
    fn work(self) -> Work {
        Work::Vram {
            entries: self.entries,
            lanes: self.lanes,
            steps: READS_OF_AN_ENTRY * self.entries / self.lanes,
            rounds: 16,
        }
    }
}

pub(crate) fn lines(site: &Site, trials: usize) -> Vec<Line> {
    let large = if trials < 100 { MIDDLE } else { LARGE };
    let mut lines = parts_kept(site, SMALL, trials);
    lines.extend(parts_kept(site, large, trials.min(LARGE_TRIALS)));
    lines.push(hardly_read(site, trials));
    lines
}

fn parts_kept(site: &Site, table: Table, trials: usize) -> Vec<Line> {
    let mut crook = site.crook();
    let mut slower = [const { Vec::new() }; PARTS.len()];
    for _ in 0..trials {
        let honest = rate(&mut crook, table, 1);
        for (part, slower) in PARTS.into_iter().zip(&mut slower) {
            slower.push(honest / rate(&mut crook, table, part));
        }
    }
    let lines = PARTS.into_iter().zip(slower).map(|(part, mut slower)| {
        let caught = slower.iter().filter(|&&ratio| ratio > 2.0).count();
        let times = median(&mut slower);
        let expected = format!("all: below half of the honest rate; median {times:.1} times slower");
        Line::measured(
            &format!(
                "1/{part} of the table kept for proof.vram, {} KiB, one thread",
                table.entries >> 5
            ),
            "16 compressions for each missing entry",
            trials,
            caught,
            expected,
            caught * 1000 >= trials * 999,
        )
    });
    lines.collect()
}

/// A table that was never there, so few entries are read.
fn hardly_read(site: &Site, trials: usize) -> Line {
    let cheat = "no table at all for proof.vram, and as many reads as entries";
    site.always(
        trials,
        cheat,
        "64 reads for each entry are the least that is taken",
        |crook| {
            let enough = READS_OF_AN_ENTRY << 10;
            let work = Work::Vram {
                entries: 1 << 32,
                lanes: 1 << 22,
                steps: enough,
                rounds: 16,
            };
            // Our own side would not write it.
            let sound = request(&mut crook.wire, &[work]).to_bytes().unwrap();
            let sound = String::from_utf8(sound).unwrap();
            let few = sound.replace(&format!("\"steps\":{enough}"), "\"steps\":1024");
            assert_ne!(sound, few);
            let envelope = Envelope::sign(few.into_bytes(), &crook.key).to_json();
            let body = body(&envelope, &crook.key);
            slug(&crook.wire.post_to("/api/v1/attempts", "", &body).unwrap()) == "bad-statement"
        },
    )
}

/// Proven reads a second with one entry in `part` kept: the same code for all.
fn rate(crook: &mut Crook<'_>, table: Table, part: u64) -> f64 {
    let work = table.work();
    let Work::Vram {
        entries,
        lanes,
        steps,
        rounds,
    } = work
    else {
        unreachable!("it was made so");
    };
    let params = Params {
        entries,
        lanes,
        steps,
        rounds,
    };
    let (held, seed) = crook.begin(&[work]);
    let seed = seeds::task(&seed, 0);
    let vram = Vram::new(&seed.0, params).unwrap();
    let kept: Vec<[u8; 32]> = (0..entries / part).map(|index| vram.entry(index)).collect();
    let lane_key = Sha256::of_parts(&[b"hallmark.vram.lane.v1\0", &seed.0]);
    let starts: Vec<_> = (0..lanes)
        .map(|lane| words(&Sha256::of_parts(&[&lane_key.0, &lane.to_le_bytes()]).0))
        .collect();
    let states = starts
        .chunks(TOGETHER)
        .flat_map(|starts| walk(&vram, &kept, params, starts));
    let done = Done::of(states.collect());
    // The registry closed what was silent for so long.
    crook.wire = crook.site.served.wire();
    let verdict = crook.prove(&held, done);
    assert!(is_proven(&verdict), "{:?}", verdict.reason);
    let proven = verdict.tasks[0].proven.as_ref().unwrap();
    proven.rate.0 as f64
}

/// Lanes carried at once, so that one waits for memory while others go on.
const TOGETHER: usize = 16;

fn walk(vram: &Vram, kept: &[[u8; 32]], params: Params, starts: &[[u32; 8]]) -> Vec<Vec<u8>> {
    let mut lanes = starts.to_vec();
    for _ in 0..params.steps {
        for state in &mut lanes {
            let index = u64::from(state[0]) & (params.entries - 1);
            let entry = match kept.get(index as usize) {
                Some(entry) => words(entry),
                None => words(&vram.entry(index)),
            };
            let mixed: [u32; 8] = std::array::from_fn(|w| (state[w] ^ entry[w]).wrapping_mul(0x9E37_79B1));
            *state = std::array::from_fn(|w| mixed[w].wrapping_add(mixed[(w + 1) % 8].rotate_left(13)));
        }
    }
    let bytes = |state: &[u32; 8]| state.iter().flat_map(|word| word.to_le_bytes()).collect();
    lanes.iter().map(bytes).collect()
}

fn words(bytes: &[u8; 32]) -> [u32; 8] {
    let (words, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|w| u32::from_le_bytes(words[w]))
}
