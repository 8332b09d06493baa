//! Time of devices as criterion measures it, in the bench `device`.

use attest::exact::PUBLIC_SEED;
use attest::statement::PathClass;
use criterion::Throughput;
use criterion::measurement::Measurement as _;
use kernels::device::discover;
use kernels::{catalogue, inputs};

#[path = "../../benches/device/time.rs"]
mod time;

use time::DeviceTime;

#[test]
fn every_device_counts_its_launches_and_no_others() {
    let triad = catalogue::find("mem.triad.v1").expect("in the catalogue");
    let dims = [("n".to_owned(), 65_537)].into();
    let inputs = inputs::generate(triad, &dims, &PUBLIC_SEED);
    let time = DeviceTime::default();
    let mut counted = 0;
    for device in discover().devices {
        let loaded = device.load(triad, PathClass::Portable, &dims, &inputs, 1);
        let mut loaded = loaded.expect("memory for a small case");
        let before = time.start();
        let taken = time.run(loaded.as_mut(), 3);
        assert!(taken > 0, "{}", device.facts().id);
        loaded.run(2).expect("launches that are not counted");
        assert_eq!(time.end(before), taken, "{}", device.facts().id);
        counted = time.add(&counted, &taken);
    }
    assert_eq!(time.end(0), counted);
}

#[test]
fn times_and_rates_are_written_in_the_unit_that_fits() {
    let (time, flop) = (DeviceTime::default(), Throughput::Elements(2_000_000));
    let formatter = time.formatter();
    let values = [0.25, 4.0, 1_500.0, 2.5e6, 3e9].map(|nanoseconds| formatter.format_value(nanoseconds));
    let trimmed = values.each_ref().map(|value| value.trim());
    assert_eq!(
        trimmed,
        ["250.00 ps", "4.0000 ns", "1.5000 µs", "2.5000 ms", "3.0000 s"]
    );
    let rates = [100.0, 1e6].map(|nanoseconds| formatter.format_throughput(&flop, nanoseconds));
    assert_eq!(
        rates.each_ref().map(|rate| rate.trim()),
        ["20.000 TFLOP/s", "2.0000 GFLOP/s"]
    );
    let bytes = formatter.format_throughput(&Throughput::BytesDecimal(3_000_000), 1e6);
    assert_eq!(bytes.trim(), "3.0000 GB/s");
}
