use super::*;
use crate::exit::fail;

/// A device in numbers.
#[derive(Clone, Copy)]
struct Machine {
    bytes: u64,
    units_a_second: f64,
    reads_a_second: f64,
    entries_a_second: f64,
    /// Of each run, whatever it does.
    overhead_s: f64,
    /// Of the first run alone.
    compiling_s: f64,
    hashed_a_second: f64,
    spent_s: f64,
}

const H100: Machine = Machine {
    bytes: 70 << 30,
    units_a_second: 1.2e15,
    reads_a_second: 2e10,
    entries_a_second: 1.4e9,
    overhead_s: 1e-4,
    compiling_s: 0.0,
    hashed_a_second: 2e11,
    spent_s: 0.0,
};

const LAPTOP: Machine = Machine {
    bytes: 2 << 30,
    units_a_second: 1.7e11,
    reads_a_second: 7e7,
    entries_a_second: 3e6,
    overhead_s: 1e-4,
    compiling_s: 0.0,
    hashed_a_second: 1e9,
    spent_s: 0.0,
};

const SOFTWARE: Machine = Machine {
    bytes: 128 << 20,
    units_a_second: 5e9,
    reads_a_second: 1e7,
    entries_a_second: 2e5,
    overhead_s: 1e-3,
    compiling_s: 1.5,
    hashed_a_second: 3e7,
    spent_s: 0.0,
};

impl Machine {
    fn of(self, proof: Proof) -> Self {
        match proof {
            Proof::Mlp => self,
            Proof::Vram => Self {
                units_a_second: self.reads_a_second,
                ..self
            },
        }
    }

    fn time(&self, work: &Work) -> f64 {
        let table = match *work {
            Work::Mlp { .. } => 0.0,
            Work::Vram { entries, .. } => entries as f64 / self.entries_a_second,
        };
        let hashed = (work.lanes() * work.lane_bytes()) as f64 / self.hashed_a_second;
        self.overhead_s + table + hashed + work.units() as f64 / self.units_a_second
    }
}

impl Trial for Machine {
    fn obstacle(&mut self, work: &Work) -> Option<String> {
        let wanted = work.resident_bytes() + work.lanes() * work.lane_bytes();
        (wanted > self.bytes).then(|| format!("{wanted} bytes"))
    }

    fn seconds(&mut self, work: &Work) -> Done<f64> {
        let first = self.spent_s == 0.0;
        let seconds = self.time(work) + if first { self.compiling_s } else { 0.0 };
        self.spent_s += seconds;
        Ok(seconds)
    }

    fn unfit(&self, reason: String) -> Failure {
        fail!(Unfit, "{reason}")
    }
}

#[test]
fn every_machine_works_for_the_time_asked_and_is_checked_cheaply() {
    for machine in [H100, LAPTOP, SOFTWARE] {
        for proof in Proof::ALL {
            for target in [1.0, 2.0, 10.0, 60.0] {
                let mut machine = machine.of(proof);
                let sized = fit(proof, target, &mut machine).expect("it fits");
                let took = machine.time(&sized.work);
                let what = format!("{proof:?} for {target} s: {sized:?}, took {took}");
                assert_eq!(sized.work.check(), Ok(()), "{what}");
                assert!((0.85..1.15).contains(&(took / target)), "{what}");
                assert!((0.85..1.15).contains(&(sized.expected_s / took)), "{what}");
                assert!(
                    machine.spent_s < 3.0 * target + machine.compiling_s,
                    "{what}, sizing took {}",
                    machine.spent_s
                );
            }
        }
    }
}

#[test]
fn a_fast_card_fills_half_its_memory_and_is_checked_within_a_second() {
    let table = fit(Proof::Vram, 10.0, &mut H100.of(Proof::Vram)).expect("it fits");
    assert!(table.work.resident_bytes() > H100.bytes / 2, "{table:?}");
    let product = fit(Proof::Mlp, 10.0, &mut H100.clone()).expect("it fits");
    assert!(product.work.check_cost() < Some(60_000_000_000), "{product:?}");
    assert!(product.fixed_s < 0.05 * product.expected_s, "{product:?}");
}

#[test]
fn a_device_without_room_for_the_smallest_work_is_refused() {
    let mut tiny = Machine {
        bytes: 1 << 18,
        ..LAPTOP
    };
    for proof in Proof::ALL {
        let refused = fit(proof, 1.0, &mut tiny).expect_err("no room");
        assert!(refused.error.to_string().contains("bytes"), "{proof:?}");
    }
}

#[test]
fn steps_end_where_the_check_does() {
    let work = with(Proof::Mlp.smallest(), MLP_LANES, 1);
    let most = affordable(&work, 1e12);
    assert!(with(work, MLP_LANES, most).check().is_ok());
    assert!(with(work, MLP_LANES, most + 1).check().is_err());
}

#[test]
fn a_device_too_slow_for_wide_lanes_gets_narrow_ones() {
    let narrow = |work: Work| matches!(work, Work::Mlp { width: NARROW, .. });
    let fast = fit(Proof::Mlp, 10.0, &mut LAPTOP.clone()).expect("it fits");
    assert!(!narrow(fast.work), "{fast:?}");
    let slow = fit(Proof::Mlp, 1.0, &mut SOFTWARE.clone()).expect("it fits");
    assert!(narrow(slow.work), "{slow:?}");
}

#[test]
fn a_device_that_reads_slowly_gets_a_table_that_it_reads_often_enough() {
    let mut slow = Machine {
        reads_a_second: 2e6,
        ..LAPTOP
    };
    slow = slow.of(Proof::Vram);
    let sized = fit(Proof::Vram, 10.0, &mut slow).expect("it fits");
    let Work::Vram { entries, .. } = sized.work else {
        panic!("{sized:?}");
    };
    assert_eq!(sized.work.check(), Ok(()), "{sized:?}");
    assert!(entries > FEWEST_ENTRIES, "{sized:?}");
    assert!((0.8..1.3).contains(&(slow.time(&sized.work) / 10.0)), "{sized:?}");
}

/// A trial of such a device has few steps: the first of them counted as fixed would make the others look faster.
#[test]
fn the_step_of_a_short_run_is_work_and_no_set_up() {
    for tenths in 90..110 {
        let units_a_second = 10f64.powf(f64::from(tenths) / 10.0);
        let mut slow = Machine {
            units_a_second,
            ..SOFTWARE
        };
        let sized = fit(Proof::Mlp, 10.0, &mut slow).expect("it fits");
        let took = slow.time(&sized.work);
        let set_up_s = took - sized.work.units() as f64 / units_a_second;
        let what = format!("{units_a_second} a second: {sized:?} took {took}, {set_up_s} of it set-up");
        assert!((9.0..11.0).contains(&took), "{what}");
        assert!((0.9..1.1).contains(&(sized.fixed_s / set_up_s)), "{what}");
    }
}

#[test]
fn a_first_run_that_compiles_narrows_no_lanes() {
    let mut cold = Machine {
        compiling_s: 2.0,
        ..LAPTOP
    };
    let sized = fit(Proof::Mlp, 10.0, &mut cold).expect("it fits");
    assert!(matches!(sized.work, Work::Mlp { width: WIDTH, .. }), "{sized:?}");
}
