//! What the vendor's library and plain copies reach on a card, at the sizes of our workloads and on their inputs.

#![allow(unsafe_code, reason = "the driver's copy takes raw device pointers")]

use std::fmt::Display;
use std::time::{Duration, Instant};

use attest::exact::PUBLIC_SEED;
use attest::spec::{Dims, Spec};
use attest::statement::PathClass;
use attest::stats::{MIN_SAMPLES, Summary, summarize};
use cudarc::driver::{CudaSlice, DevicePtr, DriverError, result};
use serde::Serialize;

use super::super::{Device as _, DeviceError, Elapsed};
use super::card::{Card, Opened};
use super::gate::LEAD;
use super::probe;
use super::vendor::{Types, multiplies};
use crate::catalogue::WORKLOADS;
use crate::workload::{Workload, bytes};
use crate::{check, inputs};

/// One figure to hold ours against.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// Who did the work: `cuBLASLt 12.8.4 F32`, `driver copy`.
    pub name: String,
    /// The workload whose case it did.
    pub workload: String,
    pub dims: Dims,
    pub flop: u64,
    pub bytes: u64,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// By CUDA events; the output was right.
    Timed(Summary),
    /// Why there is no figure.
    Absent(String),
}

impl Peer {
    /// Name, shape, median and rate for a table.
    pub fn cells(&self) -> [String; 4] {
        let shape: Vec<_> = self
            .dims
            .iter()
            .map(|(name, size)| format!("{name}={size}"))
            .collect();
        let [median, rate] = match &self.outcome {
            Outcome::Absent(reason) => [format!("absent: {reason}"), String::new()],
            Outcome::Timed(summary) => {
                let ps = summary.median_ps.max(1) as f64;
                let rate = match self.flop {
                    0 => format!("{:.1} GB/s", self.bytes as f64 * 1e3 / ps),
                    flop => format!("{:.3} Tops/s", flop as f64 / ps),
                };
                [format!("{:.3} us", ps / 1e6), rate]
            }
        };
        [self.name.clone(), shape.join(" "), median, rate]
    }
}

/// Times cuBLASLt on every case of our matrix products and the driver's copy on every case of our copies.
pub fn peers(ordinal: usize) -> Result<Vec<Peer>, DeviceError> {
    let (cards, absent) = probe::cards();
    let Some(card) = cards.into_iter().find(|card| card.ordinal() == ordinal) else {
        let reasons: Vec<_> = absent
            .iter()
            .map(|absent| format!("{} ({})", absent.reason, absent.hint))
            .collect();
        return Err(DeviceError::Driver {
            device: format!("cuda:{ordinal}"),
            operation: "looking for the device",
            reason: if reasons.is_empty() {
                "there is no such device".into()
            } else {
                reasons.join("; ")
            },
        });
    };
    let bench = Bench::new(&card)?;
    let mut peers = vec![];
    for workload in WORKLOADS {
        let Some(kind) = Kind::of(workload.spec) else {
            continue;
        };
        for case in &workload.spec.cases {
            let (name, outcome) = bench.measure(kind, workload, &case.dims);
            peers.push(Peer {
                name,
                workload: workload.spec.id.clone(),
                dims: case.dims.clone(),
                flop: workload.spec.flop.eval(&case.dims).unwrap_or_default(),
                bytes: workload.spec.bytes.eval(&case.dims).unwrap_or_default(),
                outcome,
            });
        }
    }
    Ok(peers)
}

/// Time of one sample: far above the resolution of events and the host's hiccups.
const SAMPLE_NS: u64 = 10_000_000;

/// Samples stop here, or at [`BUDGET`] when there are enough for an interval.
const SAMPLES: usize = 30;
const BUDGET: Duration = Duration::from_millis(500);

/// Launches before the first sample: the library picks and loads its kernels.
const WARM_UP: u64 = 3;

#[derive(Clone, Copy)]
enum Kind {
    Product,
    Copy,
}

impl Kind {
    fn of(spec: &Spec) -> Option<Self> {
        let dims: Vec<_> = spec.cases.first()?.dims.keys().map(String::as_str).collect();
        match (dims.as_slice(), spec.inputs.len()) {
            _ if multiplies(spec) => Some(Self::Product),
            (["n"], 1) if spec.flop.0 == "0" && spec.bytes.0 == "8*n" => Some(Self::Copy),
            _ => None,
        }
    }
}

/// The library's name where it does not say its version.
const LIBRARY: &str = "cuBLASLt";

struct Bench<'card> {
    card: &'card Card,
    opened: &'card Opened,
}

impl<'card> Bench<'card> {
    fn new(card: &'card Card) -> Result<Self, DeviceError> {
        let opened = card.opened()?;
        Ok(Self { card, opened })
    }

    /// Who did it, and how it went.
    fn measure(&self, kind: Kind, workload: &Workload, dims: &Dims) -> (String, Outcome) {
        let (name, summary) = match kind {
            Kind::Copy => ("driver copy".to_owned(), self.copy(workload, dims)),
            Kind::Product => {
                let (library, summary) = match self.product(workload, dims) {
                    Ok((library, summary)) => (library, Ok(summary)),
                    Err(reason) => (LIBRARY.to_owned(), Err(reason)),
                };
                (format!("{library} {}", Types::name(workload.spec)), summary)
            }
        };
        (name, summary.map_or_else(Outcome::Absent, Outcome::Timed))
    }

    /// The vendor path on the workload's own inputs: what they hold decides the power they draw. Its output is checked too.
    fn product(&self, workload: &Workload, dims: &Dims) -> Result<(String, Summary), String> {
        let inputs = inputs::generate(workload, dims, &PUBLIC_SEED);
        let text = |error: DeviceError| error.to_string();
        let loaded = self.card.load(workload, PathClass::Vendor, dims, &inputs, 1);
        let mut loaded = loaded.map_err(text)?;
        let library = loaded.library();
        let version = library.map(|library| format!("{} {}", library.name, library.version));
        loaded.run(1).map_err(text)?;
        let outputs = loaded.read(0).map_err(text)?;
        check::check(workload, dims, &inputs, &outputs, &PUBLIC_SEED).map_err(|error| error.to_string())?;
        let summary = sample(|launches| loaded.run(launches).map_err(text))?;
        Ok((version.unwrap_or_else(|| LIBRARY.to_owned()), summary))
    }

    /// The driver's copy from device to device, over as many buffers as keep the last-level cache cold.
    fn copy(&self, workload: &Workload, dims: &Dims) -> Result<Summary, String> {
        let size = bytes(&workload.spec.inputs[0], dims);
        let cache = self.card.facts().cache_bytes.unwrap_or_default();
        let pairs = (2 * cache).div_ceil(size).max(1);
        let buffers = (0..pairs).map(|_| Ok((self.buffer(size)?, self.buffer(size)?)));
        let buffers = buffers.collect::<Result<Vec<_>, String>>()?;
        let stream = self.opened.stream.cu_stream();
        let launch = |launch: u64| {
            let (from, to) = &buffers[(launch % pairs) as usize];
            // SAFETY: both buffers have the size and outlive the work, which `sample` waits for.
            unsafe { result::memcpy_dtod_async(self.address(to), self.address(from), size as usize, stream) }
        };
        sample(|launches| self.time(launches, launch))
    }

    fn time<E: Display + From<DriverError>>(
        &self,
        launches: u64,
        launch: impl FnMut(u64) -> Result<(), E>,
    ) -> Result<Elapsed, String> {
        self.call("timing a peer", || self.opened.time(launches, LEAD, launch))
    }

    fn buffer(&self, size: u64) -> Result<CudaSlice<u8>, String> {
        self.call("allocating device memory", || {
            self.opened.stream.alloc_zeros(size as usize)
        })
    }

    fn address(&self, buffer: &CudaSlice<u8>) -> u64 {
        buffer.device_ptr(&self.opened.stream).0
    }

    fn call<T, E: Display>(
        &self,
        operation: &'static str,
        calls: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, String> {
        self.card
            .call(operation, calls)
            .map_err(|error| error.to_string())
    }
}

fn sample(mut time: impl FnMut(u64) -> Result<Elapsed, String>) -> Result<Summary, String> {
    let warm = time(WARM_UP)?;
    let one = time(1)?.device_ns.min(warm.device_ns / WARM_UP).max(1);
    let launches = SAMPLE_NS.div_ceil(one);
    let (began, mut samples) = (Instant::now(), vec![]);
    while samples.len() < MIN_SAMPLES || (samples.len() < SAMPLES && began.elapsed() < BUDGET) {
        samples.push(time(launches)?.device_ns);
    }
    summarize(&samples, launches).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_the_copy_have_peers_and_what_rounds_each_step_has_none() {
        let of_kind = |wanted: fn(Kind) -> bool| {
            let specs = WORKLOADS.iter().map(|workload| &**workload.spec);
            let found = specs.filter(move |spec| Kind::of(spec).is_some_and(wanted));
            found.map(|spec| spec.id.as_str()).collect::<Vec<_>>()
        };
        let products = of_kind(|kind| matches!(kind, Kind::Product));
        let plain = |id: &&str| id.starts_with("gemm.") && !id.contains(".exact.");
        assert!(products.len() >= 3 && products.iter().all(plain), "{products:?}");
        assert_eq!(of_kind(|kind| matches!(kind, Kind::Copy)), ["mem.copy.v1"]);
    }

    #[test]
    fn a_device_that_is_not_there_has_no_peers() {
        let error = peers(4096).expect_err("no machine has that many");
        assert!(
            error
                .to_string()
                .starts_with("cuda:4096: looking for the device failed: ")
        );
    }

    #[test]
    fn a_table_shows_the_rate_or_the_reason() {
        let mut peer = Peer {
            name: "library".into(),
            workload: "product".into(),
            dims: [("k".to_owned(), 8)].into(),
            flop: 0,
            bytes: 3_000,
            outcome: Outcome::Absent("not installed".into()),
        };
        assert_eq!(peer.cells(), ["library", "k=8", "absent: not installed", ""]);
        let summary = summarize(&[1_000; 6], 1).expect("six samples");
        peer.outcome = Outcome::Timed(summary);
        assert_eq!(peer.cells(), ["library", "k=8", "1.000 us", "3.0 GB/s"]);
        peer.flop = 2_000_000;
        assert_eq!(peer.cells()[3], "2.000 Tops/s");
    }
}
