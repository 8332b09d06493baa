//! How large a proof is made: lanes enough to fill the device and few enough that checking them stays cheap, steps to
//! fill the time.

use attest::proof::{READS_OF_AN_ENTRY, Work};

use crate::exit::{Done, Failure};

/// Bytes of a lane of `proof.mlp.i8`, its largest width: the most arithmetic for each byte committed to.
const WIDTH: u64 = 1024;

/// The same for a device that would spend its time on drawing weights: a sixteenth of the weights, a quarter of the state.
const NARROW: u64 = 256;

/// Share of the target beyond which a run of one step is too much of it.
const FIXED_SHARE: f64 = 0.1;

/// Weight matrices of `proof.mlp.i8`: 4 MiB, more than a core's own cache and less than a GPU's.
const LAYERS: u64 = 4;

/// Rounds of an entry of `proof.vram`; no other number is checked.
const ROUNDS: u32 = 16;

/// Steps that make lanes worth their hashing, and checking 66 of them a fraction of a second of one core: 128 steps of
/// `proof.mlp.i8` are 0.3 s at 60 G operations/s, 8,192 of `proof.vram` 0.5 s at 16 M compressions/s.
const MLP_STEPS: u64 = 128;
const VRAM_STEPS: u64 = 8192;

/// Fewest lanes: a device has more threads than that, and a tenth of them is more than 66 openings can miss.
const MLP_LANES: u64 = 512;
const VRAM_LANES: u64 = 4096;

/// Entries of the smallest table, 2 MiB, and of the largest whose index the definition holds.
const FEWEST_ENTRIES: u64 = 1 << 16;
const MOST_ENTRIES: u64 = 1 << 32;

/// Share of the target that building the table may take: the rest is reads, which are what is counted.
const TABLE_SHARE: f64 = 0.25;

/// Share of the target that a trial must run for its rate to be believed.
const TRIAL_SHARE: f64 = 0.1;

/// A trial does at most this many times the work of the one before, so that a wrong guess costs little.
const GROWTH: f64 = 16.0;

/// Trials until the number of lanes has settled; each may double the last figure 16 times over.
const TRIALS: usize = 10;

/// What is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Integer arithmetic.
    Mlp,
    /// Memory that is there, and random reads of it.
    Vram,
}

/// A device as sizing sees it.
pub(crate) trait Trial {
    /// Why the device cannot hold the work, if it cannot.
    fn obstacle(&mut self, work: &Work) -> Option<String>;

    /// Seconds that one run of the work takes.
    fn seconds(&mut self, work: &Work) -> Done<f64>;

    /// What to fail with where even the smallest work is more than the device holds.
    fn unfit(&self, reason: String) -> Failure;
}

/// A proof's parameters, and what is known of the time it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sized {
    pub work: Work,
    /// Of a run without its steps: drawing the state, hashing the tree.
    pub fixed_s: f64,
    /// Of filling the table of `proof.vram`: work that shows the capacity and is counted as no read.
    pub table_s: f64,
    pub expected_s: f64,
}

impl Proof {
    pub(crate) const ALL: [Self; 2] = [Self::Mlp, Self::Vram];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mlp => "mlp",
            Self::Vram => "vram",
        }
    }

    pub(super) fn smallest(self) -> Work {
        match self {
            Self::Mlp => Work::Mlp {
                lanes: MLP_LANES,
                width: WIDTH,
                layers: LAYERS,
                steps: 1,
            },
            Self::Vram => Work::Vram {
                entries: FEWEST_ENTRIES,
                lanes: VRAM_LANES,
                steps: 1,
                rounds: ROUNDS,
            },
        }
    }

    fn useful_steps(self) -> u64 {
        match self {
            Self::Mlp => MLP_STEPS,
            Self::Vram => VRAM_STEPS,
        }
    }

    fn fewest_lanes(self) -> u64 {
        self.smallest().lanes()
    }
}

/// One run of some work.
#[derive(Clone, Copy)]
pub(super) struct Run {
    work: Work,
    seconds: f64,
}

impl Run {
    pub(super) fn of(work: Work, trial: &mut dyn Trial) -> Done<Self> {
        let seconds = trial.seconds(&work)?.max(1e-9);
        Ok(Self { work, seconds })
    }

    /// Seconds that a run would take without steps, by this one and a shorter one: a step is work, and on a slow device
    /// much of what the shorter run takes. A run that is no longer than the other says nothing, and all counts as fixed.
    pub(super) fn fixed_s(&self, shorter: &Self) -> f64 {
        let [units, fewer] = [self, shorter].map(|run| run.work.units() as f64);
        if units <= fewer {
            return shorter.seconds;
        }
        let fixed_s = (shorter.seconds * units - self.seconds * fewer) / (units - fewer);
        fixed_s.clamp(0.0, shorter.seconds)
    }

    /// Seconds beside the fixed ones; of a run that is nearly all fixed, no more than a tenth is believed to be noise.
    fn busy_s(&self, fixed_s: f64) -> f64 {
        (self.seconds - fixed_s).max(self.seconds / 10.0)
    }

    /// Units a second of what is not fixed.
    fn rate(&self, fixed_s: f64) -> f64 {
        self.work.units() as f64 / self.busy_s(fixed_s)
    }
}

/// Finds parameters with which `trial`'s device works for `target_s` seconds.
pub(crate) fn fit(proof: Proof, target_s: f64, trial: &mut dyn Trial) -> Done<Sized> {
    let smallest = proof.smallest();
    if let Some(reason) = trial.obstacle(&smallest) {
        return Err(trial.unfit(reason));
    }
    // Where kernels are compiled when they first run, that would be taken for a slow device.
    trial.seconds(&smallest)?;
    let first = match proof {
        Proof::Mlp => width(smallest, target_s, trial)?,
        Proof::Vram => table(smallest, target_s, trial)?,
    };
    let (run, idle_s) = settled(proof, first, target_s, trial)?;
    let rate = run.rate(idle_s);
    let (shape, idle_s) = readable(&run.work, idle_s, rate, target_s);
    let left = (target_s - idle_s).max(target_s / 10.0);
    let steps = affordable(&shape, rate * left / step_units(&shape)).max(fewest_steps(&shape));
    let work = with(shape, shape.lanes(), steps);
    let fixed_s = without_table_s(&work, idle_s, trial)?;
    Ok(Sized {
        work,
        fixed_s,
        table_s: idle_s - fixed_s,
        expected_s: idle_s + work.units() as f64 / rate,
    })
}

/// What is left of `idle_s`, the seconds of a run without its steps, without filling the table.
pub(super) fn without_table_s(work: &Work, idle_s: f64, trial: &mut dyn Trial) -> Done<f64> {
    match work {
        Work::Mlp { .. } => Ok(idle_s),
        Work::Vram { lanes, .. } => {
            let tiny = with_entries(with(*work, *lanes, 1), 1);
            Ok(trial.seconds(&tiny)?.min(idle_s))
        }
    }
}

/// A run of the right shape and long enough, and the seconds of one without its steps.
fn settled(proof: Proof, first: Work, target_s: f64, trial: &mut dyn Trial) -> Done<(Run, f64)> {
    let mut once = Run::of(first, trial)?;
    let mut run = once;
    for _ in 0..TRIALS {
        match next(proof, target_s, &run, run.fixed_s(&once), trial) {
            Some(work) => run = Run::of(work, trial)?,
            None => break,
        }
    }
    // What a run takes without its steps grows with the lanes; of proof.vram it is the table, which has been timed.
    if proof == Proof::Mlp && run.work.lanes() != first.lanes() {
        once = Run::of(with(run.work, run.work.lanes(), 1), trial)?;
    }
    Ok((run, run.fixed_s(&once)))
}

/// The same with a table, if there is one, that is read often enough in the time that is left, and its seconds.
fn readable(work: &Work, idle_s: f64, rate: f64, target_s: f64) -> (Work, f64) {
    let (mut work, mut idle_s) = (*work, idle_s);
    while let Work::Vram { entries, .. } = work {
        let reads = rate * (target_s - idle_s);
        if entries <= FEWEST_ENTRIES || reads >= (entries * READS_OF_AN_ENTRY) as f64 {
            break;
        }
        work = with_entries(work, entries / 2);
        idle_s /= 2.0;
    }
    (work, idle_s)
}

/// Steps below which the work would show nothing.
fn fewest_steps(work: &Work) -> u64 {
    match *work {
        Work::Mlp { .. } => 1,
        Work::Vram { entries, lanes, .. } => (entries * READS_OF_AN_ENTRY).div_ceil(lanes),
    }
}

/// What to run next to learn more, or nothing when the last run was of the right shape and long enough.
fn next(proof: Proof, target_s: f64, run: &Run, fixed_s: f64, trial: &mut dyn Trial) -> Option<Work> {
    let rate = run.rate(fixed_s);
    let now = run.work.lanes();
    let lanes = lanes(proof, &run.work, rate * target_s, trial);
    // Between two powers of two the last digit decides, and either will do.
    let settled = (now / 2..=now * 2).contains(&lanes) && run.busy_s(fixed_s) >= target_s * TRIAL_SHARE;
    if settled {
        return None;
    }
    let wider = with(run.work, lanes, 1);
    let units = (rate * target_s * TRIAL_SHARE * 1.5).min(run.work.units() as f64 * GROWTH);
    let next = with(wider, lanes, affordable(&wider, units / step_units(&wider)));
    (next != run.work).then_some(next)
}

/// Narrow lanes for a device that is slow beside the target.
fn width(smallest: Work, target_s: f64, trial: &mut dyn Trial) -> Done<Work> {
    match smallest {
        Work::Mlp {
            lanes, layers, steps, ..
        } if trial.seconds(&smallest)? > target_s * FIXED_SHARE => Ok(Work::Mlp {
            lanes,
            width: NARROW,
            layers,
            steps,
        }),
        _ => Ok(smallest),
    }
}

/// The largest table that the device holds and builds in its share of the time.
fn table(smallest: Work, target_s: f64, trial: &mut dyn Trial) -> Done<Work> {
    let mut work = smallest;
    let mut most = MOST_ENTRIES;
    while trial.obstacle(&with_entries(work, most)).is_some() {
        most /= 2;
    }
    loop {
        let seconds = trial.seconds(&work)?.max(1e-9);
        let Work::Vram { entries, .. } = work else {
            return Ok(work);
        };
        let affordable = entries as f64 * target_s * TABLE_SHARE / seconds;
        let limit = largest_power_of_two(affordable).clamp(FEWEST_ENTRIES, most);
        // A quarter of its share shows the rate; a larger table is slower, never faster, to build for each entry.
        if limit <= entries || seconds >= target_s * TABLE_SHARE / 8.0 {
            return Ok(with_entries(work, limit));
        }
        work = with_entries(work, limit.min(entries * GROWTH as u64));
    }
}

/// Lanes, a power of two, for as many units of work: the most that are useful and held.
fn lanes(proof: Proof, work: &Work, units: f64, trial: &mut dyn Trial) -> u64 {
    let units_of_lane = step_units(work) / work.lanes() as f64 * proof.useful_steps() as f64;
    let fewest = proof.fewest_lanes();
    let mut lanes = largest_power_of_two(units / units_of_lane).clamp(fewest, 1 << 31);
    while lanes > fewest && trial.obstacle(&with(*work, lanes, 1)).is_some() {
        lanes /= 2;
    }
    lanes
}

/// Whole steps, as many as the check is worth.
fn affordable(work: &Work, steps: f64) -> u64 {
    let fits = |steps: u64| with(*work, work.lanes(), steps).check_bounds().is_ok();
    let wanted = (steps as u64).clamp(1, 1 << 32);
    if fits(wanted) {
        return wanted;
    }
    let (mut good, mut bad) = (1, wanted);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if fits(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    good
}

/// Units of one step of all lanes.
fn step_units(work: &Work) -> f64 {
    with(*work, work.lanes(), 1).units() as f64
}

fn largest_power_of_two(below: f64) -> u64 {
    let whole = (below as u64).max(1);
    1 << whole.ilog2()
}

/// The same work with other lanes and steps.
pub(crate) fn with(work: Work, lanes: u64, steps: u64) -> Work {
    match work {
        Work::Mlp { width, layers, .. } => Work::Mlp {
            lanes,
            width,
            layers,
            steps,
        },
        Work::Vram { entries, rounds, .. } => Work::Vram {
            entries,
            lanes,
            steps,
            rounds,
        },
    }
}

fn with_entries(work: Work, entries: u64) -> Work {
    match work {
        Work::Mlp { .. } => work,
        Work::Vram {
            lanes, steps, rounds, ..
        } => Work::Vram {
            entries,
            lanes,
            steps,
            rounds,
        },
    }
}

pub(crate) fn steps(work: &Work) -> u64 {
    match *work {
        Work::Mlp { steps, .. } | Work::Vram { steps, .. } => steps,
    }
}

#[cfg(test)]
mod tests;
