//! What the vendor's library and plain copies reach on a card, at the sizes of our workloads and on their inputs.

#![allow(unsafe_code, reason = "cuBLAS and the driver's copy take raw device pointers")]

use std::fmt::Display;
use std::time::{Duration, Instant};

use attest::exact::PUBLIC_SEED;
use attest::spec::{Class, Dims, Dtype, Spec};
use attest::stats::{MIN_SAMPLES, Summary, summarize};
use cudarc::driver::{CudaSlice, DevicePtr, DriverError, result};
use serde::Serialize;

use super::super::{Device as _, DeviceError, Elapsed};
use super::card::{Card, Opened};
use super::cublas::{Cublas, CublasError, Product, Types};
use super::gate::LEAD;
use super::probe;
use crate::catalogue::WORKLOADS;
use crate::workload::{Workload, bytes, dim};
use crate::{check, inputs};

/// One figure to hold ours against.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// Who did the work: `cuBLAS 12.8.4 F32`, `driver copy`.
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

/// Times cuBLAS on every case of our matrix products and the driver's copy on every case of our copies.
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
            let summary = bench.measure(kind, workload, &case.dims);
            peers.push(Peer {
                name: bench.name(kind, workload.spec),
                workload: workload.spec.id.clone(),
                dims: case.dims.clone(),
                flop: workload.spec.flop.eval(&case.dims).unwrap_or_default(),
                bytes: workload.spec.bytes.eval(&case.dims).unwrap_or_default(),
                outcome: summary.map_or_else(Outcome::Absent, Outcome::Timed),
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
    /// Products that round every step have no peer: no library promises an order.
    fn of(spec: &Spec) -> Option<Self> {
        let dims: Vec<_> = spec.cases.first()?.dims.keys().map(String::as_str).collect();
        let rounds_each_step = spec.class == Class::Exact && spec.inputs[0].dtype == Dtype::F32;
        match (dims.as_slice(), spec.inputs.len()) {
            (["k", "m", "n"], 2) if !rounds_each_step => Some(Self::Product),
            (["n"], 1) if spec.flop.0 == "0" && spec.bytes.0 == "8*n" => Some(Self::Copy),
            _ => None,
        }
    }
}

struct Bench<'card> {
    card: &'card Card,
    opened: &'card Opened,
    cublas: Result<Cublas, String>,
}

impl<'card> Bench<'card> {
    fn new(card: &'card Card) -> Result<Self, DeviceError> {
        let opened = card.opened()?;
        let cublas = card.call("opening cuBLAS", || {
            opened.context.bind_to_thread()?;
            Cublas::open(opened.stream.cu_stream())
        });
        Ok(Self {
            card,
            opened,
            cublas: cublas.map_err(|error| error.to_string()),
        })
    }

    fn name(&self, kind: Kind, spec: &Spec) -> String {
        let version = self.cublas.as_ref().map_or("", |cublas| cublas.version.as_str());
        match kind {
            Kind::Product => format!("cuBLAS {version} {}", Types::name(spec)).replace("  ", " "),
            Kind::Copy => "driver copy".into(),
        }
    }

    fn measure(&self, kind: Kind, workload: &Workload, dims: &Dims) -> Result<Summary, String> {
        match kind {
            Kind::Product => self.product(workload, dims),
            Kind::Copy => self.copy(workload, dims),
        }
    }

    /// The library on the workload's own inputs: what they hold decides the power they draw. Its output is checked too.
    fn product(&self, workload: &Workload, dims: &Dims) -> Result<Summary, String> {
        let cublas = self.cublas.as_ref().map_err(Clone::clone)?;
        let mut sizes = [0; 3];
        for (size, name) in sizes.iter_mut().zip(["m", "n", "k"]) {
            let wanted = dim(dims, name);
            *size = i32::try_from(wanted).map_err(|_| CublasError::TooLarge(wanted as u64).to_string())?;
        }
        let types = Types::of(workload.spec).map_err(|error| error.to_string())?;
        let inputs = inputs::generate(workload, dims, &PUBLIC_SEED);
        let [a, b] = [self.upload(&inputs[0])?, self.upload(&inputs[1])?];
        let c = self.buffer(bytes(&workload.spec.outputs[0], dims))?;
        let product = Product {
            a: self.address(&a),
            b: self.address(&b),
            c: self.address(&c),
            sizes,
            types,
        };
        let multiply = |_| cublas.multiply(&product);
        self.time(1, multiply)?;
        let output = self.call("reading a product", || self.opened.stream.clone_dtoh(&c))?;
        check::check(workload, dims, &inputs, &[output], &PUBLIC_SEED).map_err(|error| error.to_string())?;
        self.sample(multiply)
    }

    /// The driver's copy from device to device, over as many buffers as keep the last-level cache cold.
    fn copy(&self, workload: &Workload, dims: &Dims) -> Result<Summary, String> {
        let size = bytes(&workload.spec.inputs[0], dims);
        let cache = self.card.facts().cache_bytes.unwrap_or_default();
        let pairs = (2 * cache).div_ceil(size).max(1);
        let buffers = (0..pairs).map(|_| Ok((self.buffer(size)?, self.buffer(size)?)));
        let buffers = buffers.collect::<Result<Vec<_>, String>>()?;
        let stream = self.opened.stream.cu_stream();
        self.sample(|launch| {
            let (from, to) = &buffers[(launch % pairs) as usize];
            // SAFETY: both buffers have the size and outlive the work, which `sample` waits for.
            unsafe { result::memcpy_dtod_async(self.address(to), self.address(from), size as usize, stream) }
        })
    }

    fn sample<E: Display + From<DriverError>>(
        &self,
        mut launch: impl FnMut(u64) -> Result<(), E>,
    ) -> Result<Summary, String> {
        let warm = self.time(WARM_UP, &mut launch)?;
        let one = self
            .time(1, &mut launch)?
            .device_ns
            .min(warm.device_ns / WARM_UP)
            .max(1);
        let launches = SAMPLE_NS.div_ceil(one);
        let (began, mut samples) = (Instant::now(), vec![]);
        while samples.len() < MIN_SAMPLES || (samples.len() < SAMPLES && began.elapsed() < BUDGET) {
            samples.push(self.time(launches, &mut launch)?.device_ns);
        }
        summarize(&samples, launches).map_err(|error| error.to_string())
    }

    fn time<E: Display + From<DriverError>>(
        &self,
        launches: u64,
        launch: impl FnMut(u64) -> Result<(), E>,
    ) -> Result<Elapsed, String> {
        self.call("timing a peer", || self.opened.time(launches, LEAD, launch))
    }

    fn upload(&self, content: &[u8]) -> Result<CudaSlice<u8>, String> {
        self.call("uploading an input", || self.opened.stream.clone_htod(content))
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
