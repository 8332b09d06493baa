//! Work that is not done, or not as asked.

use attest::digest::Sha256;
use attest::exact::stream;
use attest::proof::{Opening, OpeningsBody, Work, seeds};

use super::line::{Line, missed};
use super::{AT_ONCE, Crook, Site, WORK, is_wrong};
use crate::prover::Done;

const NOT_THE_WORK: &str = "is not what the work gives";
const NOT_COMMITTED: &str = "not under the committed root";
const BY_LANES: &str = "opened lanes are recomputed";

/// Of every value's eight bits, those that a state of four bits keeps.
const KEPT_BITS: u8 = 0xF0;

pub(crate) fn lines(site: &Site, trials: usize, level: f64) -> Vec<Line> {
    let mut lines: Vec<Line> = [1, 5, 10, 50]
        .map(|percent| skipped(site, trials, level, percent))
        .into();
    let Work::Mlp { lanes, width, .. } = WORK else {
        unreachable!("WORK is of this kind");
    };
    let other = move |layers, steps| Work::Mlp {
        lanes,
        width,
        layers,
        steps,
    };
    type States = Box<dyn Fn(&Sha256) -> Done + Sync>;
    let shortcuts: [(&str, States); 3] = [
        (
            "lower precision: state of 4 bits",
            Box::new(|seed| Done::of(coarse(&seeds::task(seed, 0)))),
        ),
        (
            "fewer layers: 1 of 2",
            Box::new(move |seed| Done::compute(&other(1, 3), seed, 0)),
        ),
        (
            "fewer steps: 2 of 3",
            Box::new(move |seed| Done::compute(&other(2, 2), seed, 0)),
        ),
    ];
    for (cheat, work) in shortcuts {
        lines.push(site.always(trials, cheat, BY_LANES, |crook| {
            let (held, seed) = crook.begin(&[WORK]);
            is_wrong(&crook.prove(&held, work(&seed)), NOT_THE_WORK)
        }));
    }
    lines.push(site.always(
        trials,
        "only what is opened is computed: a root over garbage, right rows afterwards",
        "inclusion paths to the root",
        only_what_is_opened,
    ));
    lines.push(precomputed(site, trials));
    lines
}

fn skipped(site: &Site, trials: usize, level: f64, percent: u64) -> Line {
    let lanes = WORK.lanes();
    let wrong = lanes * percent / 100;
    let caught = site.tries(trials, AT_ONCE, |crook| {
        let (held, seed) = crook.begin(&[WORK]);
        let first = crook.number as u64 * 37;
        let is_skipped = |lane: u64| (lane + lanes - first % lanes) % lanes < wrong;
        let kept: Vec<u64> = (0..lanes).filter(|&lane| !is_skipped(lane)).collect();
        let mut states = vec![vec![0; WORK.lane_bytes() as usize]; lanes as usize];
        let computed = WORK.recompute(&seeds::task(&seed, 0), &kept).unwrap();
        for (lane, state) in kept.into_iter().zip(computed) {
            states[lane as usize] = state;
        }
        is_wrong(&crook.prove(&held, Done::of(states)), NOT_THE_WORK)
    });
    let chance = 1.0 - missed(lanes, wrong, WORK.opened());
    let cheat = format!("{percent} % of the lanes skipped");
    Line::share(&cheat, BY_LANES, trials, caught, chance, level)
}

/// All lanes, with every state between steps cut to four bits.
fn coarse(seed: &Sha256) -> Vec<Vec<u8>> {
    let Work::Mlp {
        lanes,
        width,
        layers,
        steps,
    } = WORK
    else {
        unreachable!("WORK is of this kind");
    };
    let width = width as usize;
    let weights: Vec<Vec<i8>> = (0..layers)
        .map(|layer| stream::i8s(&seed.0, &format!("proof.mlp.i8/w/{layer}"), 0, width * width))
        .collect();
    let state = stream::i8s(&seed.0, "proof.mlp.i8/x", 0, lanes as usize * width);
    let lane = |row: &[i8]| {
        let mut row: Vec<u8> = row.iter().map(|value| value.cast_unsigned()).collect();
        for step in 0..steps {
            let cut: Vec<i32> = row
                .iter()
                .map(|value| i32::from((value & KEPT_BITS).cast_signed()))
                .collect();
            let layer = weights[(step % layers) as usize].chunks_exact(width);
            let sums = layer.map(|column| -> i32 {
                let products = column.iter().zip(&cut);
                products.map(|(weight, value)| i32::from(*weight) * value).sum()
            });
            row = sums
                .map(|sum| (sum.cast_unsigned().wrapping_mul(0x9E37_79B1) >> 24) as u8)
                .collect();
        }
        row
    };
    state.chunks_exact(width).map(lane).collect()
}

fn only_what_is_opened(crook: &mut Crook<'_>) -> bool {
    let (held, seed) = crook.begin(&[WORK]);
    let garbage = |lane: u64| [Sha256::of(&lane.to_le_bytes()).0, seed.0].concat();
    let done = Done::of((0..WORK.lanes()).map(garbage).collect());
    assert_eq!(held.commit(&mut crook.wire, &crook.key, 0, &done).status, 200);
    let samples = held.get(&mut crook.wire, "/samples");
    let lanes: Vec<Vec<u64>> = serde_json::from_value(samples.json()["tasks"].clone()).unwrap();
    let right = WORK.recompute(&seeds::task(&seed, 0), &lanes[0]).unwrap();
    let openings = done.open(&lanes[0]).into_iter().zip(right);
    let openings = openings.map(|(garbage, state)| Opening { state, ..garbage });
    let body = OpeningsBody {
        tasks: vec![openings.collect()],
    };
    let verdict = crook.open(&held, &serde_json::to_vec(&body).unwrap());
    is_wrong(&verdict, NOT_COMMITTED)
}

/// Everything is computed before the clock runs, from the nonce of a session before.
fn precomputed(site: &Site, trials: usize) -> Line {
    let old = {
        let mut crook = site.crook();
        let (held, seed) = crook.begin(&[WORK]);
        crook.abort(&held);
        seed
    };
    let cheat = "outputs precomputed for an old nonce";
    site.always(
        trials,
        cheat,
        "the seed follows from the new nonce; lanes are recomputed",
        |crook| {
            let done = Done::compute(&WORK, &old, 0);
            let (held, _) = crook.begin(&[WORK]);
            is_wrong(&crook.prove(&held, done), NOT_THE_WORK)
        },
    )
}
