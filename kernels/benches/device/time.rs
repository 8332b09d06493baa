//! Time that a device counted, as criterion measures it.

use std::cell::Cell;
use std::rc::Rc;

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter};
use kernels::device::Loaded;

/// Nanoseconds that devices have counted for launches so far: CUDA's events, Vulkan's timestamps, a processor's monotonic
/// clock. Clones share the count.
#[derive(Clone, Default)]
pub(crate) struct DeviceTime(Rc<Cell<u64>>);

/// Launches that are submitted at a time. Longer batches measure no better, and Vulkan keeps what it has recorded of them.
const BATCH: u64 = 1024;

impl DeviceTime {
    /// Nanoseconds of so many launches.
    pub(crate) fn run(&self, loaded: &mut dyn Loaded, launches: u64) -> u64 {
        let before = self.start();
        for first in (0..launches).step_by(BATCH as usize) {
            let elapsed = loaded.run(BATCH.min(launches - first)).expect("launches");
            self.0.update(|counted| counted + elapsed.device_ns);
        }
        self.end(before)
    }
}

impl Measurement for DeviceTime {
    type Intermediate = u64;
    type Value = u64;

    fn start(&self) -> u64 {
        self.0.get()
    }

    fn end(&self, before: u64) -> u64 {
        self.0.get() - before
    }

    fn add(&self, one: &u64, other: &u64) -> u64 {
        one + other
    }

    fn zero(&self) -> u64 {
        0
    }

    fn to_f64(&self, nanoseconds: &u64) -> f64 {
        *nanoseconds as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &Nanoseconds
    }
}

struct Nanoseconds;

/// What units begin with, largest first.
type Units = [(f64, &'static str)];

/// Nanoseconds of a unit.
const TIMES: &Units = &[(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"), (1e-3, "ps")];

/// Per nanosecond.
const RATES: &Units = &[
    (1e3, "TFLOP/s"),
    (1.0, "GFLOP/s"),
    (1e-3, "MFLOP/s"),
    (1e-6, "KFLOP/s"),
];
const BYTE_RATES: &Units = &[(1e3, "TB/s"), (1.0, "GB/s"), (1e-3, "MB/s"), (1e-6, "KB/s")];

/// The largest unit of which there is one at least.
fn unit_of(value: f64, units: &Units) -> (f64, &'static str) {
    let fits = units.iter().find(|(unit, _)| value >= *unit);
    *fits.unwrap_or(&units[units.len() - 1])
}

impl ValueFormatter for Nanoseconds {
    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        let (unit, name) = unit_of(typical, TIMES);
        values.iter_mut().for_each(|value| *value /= unit);
        name
    }

    /// `Elements` are floating-point operations.
    fn scale_throughputs(&self, typical: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        let (work, units) = match *throughput {
            Throughput::Elements(flop) | Throughput::ElementsAndBytes { elements: flop, .. } => (flop, RATES),
            Throughput::Bytes(bytes) | Throughput::BytesDecimal(bytes) => (bytes, BYTE_RATES),
            Throughput::Bits(bits) => (bits / 8, BYTE_RATES),
        };
        let (unit, name) = unit_of(work as f64 / typical, units);
        values
            .iter_mut()
            .for_each(|value| *value = work as f64 / *value / unit);
        name
    }

    fn scale_for_machines(&self, _values: &mut [f64]) -> &'static str {
        "ns"
    }
}
