//! Everything before the clock runs: parameters from memory and trials, a rehearsal, and the proof loaded.

use std::time::Duration;

use attest::proof::Work;
use attest::statement::{DeviceKind, PathClass};
use kernels::device::Device;
use kernels::workload::{Target, bytes};

use super::prover::{Prover, case};
use super::size::{Proof, Run, Sized, Trial, fit, steps, with, without_table_s};
use crate::exit::{Done, Failure, fail};
use crate::interrupt;

/// Trials of a given work run about this long: its steps are cut.
const WARM_UP_S: f64 = 2.0;

/// What a device is to prove.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// As much as fills the time.
    Filling { proof: Proof, target: Duration },
    /// Just this, which took somebody `took`.
    Given { work: Work, took: Duration },
}

impl Wanted {
    /// How long preparing takes, about.
    pub(super) fn preparation(&self) -> Duration {
        match *self {
            Self::Filling { target, .. } => target * 3 / 2,
            Self::Given { .. } => Duration::from_secs_f64(2.0 * WARM_UP_S),
        }
    }
}

/// A proof that only waits for its seed.
pub(super) struct Ready<'a> {
    pub prover: Prover<'a>,
    pub sized: Sized,
}

/// Sizes, rehearses and loads what is wanted.
pub(super) fn prepare(device: &dyn Device, wanted: Wanted) -> Done<Ready<'_>> {
    let mut bench = Bench {
        device,
        budget: budget(device),
    };
    let sized = match wanted {
        Wanted::Filling { proof, target } => fit(proof, target.as_secs_f64(), &mut bench)?,
        Wanted::Given { work, took } => warm_up(&mut bench, work, took)?,
    };
    bench.ask_to_go_on()?;
    let prover = Prover::load(device, sized.work)?;
    Ok(Ready { prover, sized })
}

/// Runs a short form of the work.
fn warm_up(bench: &mut Bench<'_>, work: Work, took: Duration) -> Done<Sized> {
    if let Some(reason) = bench.obstacle(&work) {
        return Err(bench.unfit(reason));
    }
    let share = (WARM_UP_S / took.as_secs_f64().max(WARM_UP_S)).min(1.0);
    let short = ((steps(&work) as f64 * share) as u64).max(1);
    let run = Run::of(with(work, work.lanes(), short), bench)?;
    let once = Run::of(with(work, work.lanes(), 1), bench)?;
    let idle_s = run.fixed_s(&once);
    let fixed_s = without_table_s(&work, idle_s, bench)?;
    Ok(Sized {
        work,
        fixed_s,
        table_s: idle_s - fixed_s,
        expected_s: took.as_secs_f64(),
    })
}

/// Bytes a proof may take: seven eighths of what is free on a card of its own, a quarter where programs share it.
fn budget(device: &dyn Device) -> u64 {
    let free = device.free_bytes();
    match device.facts().kind {
        DeviceKind::Gpu => free / 8 * 7,
        DeviceKind::Cpu | DeviceKind::Software => free / 4,
    }
}

/// A device being tried.
struct Bench<'a> {
    device: &'a dyn Device,
    budget: u64,
}

impl Bench<'_> {
    fn ask_to_go_on(&self) -> Done {
        match interrupt::asked() {
            true => Err(fail!(Interrupted, "interrupted before anything was announced")),
            false => Ok(()),
        }
    }

    fn footprint(&self, work: &Work) -> Done<u64> {
        let (workload, dims) = case(work)?;
        let facts = self.device.facts();
        let tensors = workload.spec.inputs.iter().chain(&workload.spec.outputs);
        let tensors: u64 = tensors.map(|tensor| bytes(tensor, &dims)).sum();
        let plan = (workload.plan)(&dims, Target::of(facts));
        let scratch: u64 = plan.scratch.iter().sum();
        Ok(tensors + scratch)
    }
}

impl Trial for Bench<'_> {
    fn obstacle(&mut self, work: &Work) -> Option<String> {
        if let Err(error) = work.check_bounds() {
            return Some(error.to_string());
        }
        let (workload, dims) = match case(work) {
            Ok(case) => case,
            Err(failure) => return Some(failure.error.to_string()),
        };
        let wanted = match self.footprint(work) {
            Ok(wanted) => wanted,
            Err(failure) => return Some(failure.error.to_string()),
        };
        if wanted > self.budget {
            let budget = self.budget;
            return Some(format!("{wanted} bytes are needed and {budget} may be used"));
        }
        self.device.refusal(workload, PathClass::Portable, &dims, 1)
    }

    fn seconds(&mut self, work: &Work) -> Done<f64> {
        self.ask_to_go_on()?;
        let phases = Prover::load(self.device, *work)?.rehearse(&self.device.facts().id)?;
        Ok((phases.write + phases.run + phases.read_root).as_secs_f64())
    }

    fn unfit(&self, reason: String) -> Failure {
        fail!(Unfit, "{} cannot prove this: {reason}", self.device.facts().id)
            .hint("hallmark devices lists what each device cannot run; choose others with --device")
    }
}
