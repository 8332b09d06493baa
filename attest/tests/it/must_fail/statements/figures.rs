//! Figures that do not follow from the samples, or samples that no measurement gives.

use serde_json::json;

use super::super::Case;
use super::record;

pub(super) fn cases() -> Vec<Case> {
    vec![
        record(
            "median-better-than-samples",
            "A median below every sample: nobody may take a summary on trust.",
            0,
            "its summary says 10000000 ps [20017570, 20079190] over 12 samples, its samples give 20057165 ps [20017570, 20079190] over 12 samples",
            |record| record["timing"]["summary"]["medianPs"] = json!(10_000_000),
        ),
        record(
            "too-few-samples",
            "Five samples give no 95 % interval of the median.",
            0,
            "5 samples give no 95 % interval of the median; at least 6 are needed",
            |record| {
                record["timing"]["samplesNs"]
                    .as_array_mut()
                    .expect("a list")
                    .truncate(5);
            },
        ),
        record(
            "flop-inflated",
            "Ten times the operations of the specification's formula: ten times the rate from the same time.",
            0,
            "its flop is 5242880, the specification's formula gives 524288",
            |record| record["timing"]["work"]["flop"] = json!(5_242_880),
        ),
        record(
            "device-clock-not-its-samples",
            "The witness compares another span than the samples.",
            0,
            "the device's clock is written as 1 ns, its samples add up to 24063896 ns",
            |record| record["timing"]["witness"]["deviceNs"] = json!(1),
        ),
        record(
            "clocks-disagree",
            "The device's timer ran at half the speed of the host's clock over more than a second.",
            0,
            "the device's clock counted 1998000000 ns and the host's 3996000000 ns; they may differ by 2 %",
            |record| {
                record["timing"]["samplesNs"] = json!(vec![333_000_000; 6]);
                let per_launch = 3_330_000_000_u64;
                record["timing"]["summary"] =
                    json!({"samples": 6, "medianPs": per_launch, "lowPs": per_launch, "highPs": per_launch});
                record["timing"]["witness"] = json!({"deviceNs": 1_998_000_000, "hostNs": 3_996_000_000_u64});
            },
        ),
        record(
            "samples-shorter-than-the-clock",
            "Samples of four ticks: the timer's resolution decides the result.",
            0,
            "a sample of 2000000 ns is shorter than 1,000 ticks of 500000000 ps",
            |record| record["timing"]["timer"]["tickPs"] = json!(500_000_000),
        ),
        record(
            "clock-of-another-device",
            "A CPU timed by CUDA events.",
            0,
            "CudaEvent is no clock of a device on cpu",
            |record| record["timing"]["timer"]["source"] = json!("cudaEvent"),
        ),
        record(
            "hot-with-rotating-inputs",
            "A hot record whose inputs rotate: it is neither hot nor cold.",
            0,
            "4 input sets do not go with a Hot cache",
            |record| record["timing"]["inputSets"] = json!(4),
        ),
        record(
            "stopped-as-full-early",
            "Called full with twelve samples: the run was stopped when it looked best.",
            0,
            "it stopped as Full with an interval of +-1536 ppm over 12 samples",
            |record| record["timing"]["stop"] = json!("full"),
        ),
        record(
            "error-beyond-tolerance",
            "The outputs were wrong and the record is called complete.",
            2,
            "its worst error is 1000000001 ppb of what is allowed, more than 1,000,000,000",
            |record| record["quality"]["worstOfAllowedPpb"] = json!(1_000_000_001),
        ),
        record(
            "exact-workload-judged-by-tolerance",
            "An exact workload with an error margin.",
            0,
            "its quality is of another class than the specification's",
            |record| {
                record["quality"]["class"] = json!("float");
                record["quality"]["relativeRmsPpb"] = json!(1);
                record["quality"]["worstOfAllowedPpb"] = json!(1);
            },
        ),
        record(
            "outputs-unchecked",
            "No element of the output was compared.",
            0,
            "it checked 0 of 4096 elements; the outputs have 4096",
            |record| record["quality"]["checked"] = json!(0),
        ),
        record(
            "outputs-fewer-than-the-case",
            "Only a part of the output was made.",
            0,
            "it checked 64 of 64 elements; the outputs have 4096",
            |record| {
                record["quality"]["checked"] = json!(64);
                record["quality"]["elements"] = json!(64);
            },
        ),
        record(
            "exact-outputs-differ",
            "Two devices with different outputs of an exact workload: one of them is wrong.",
            1,
            "its outputs have another digest than the same exact case elsewhere in the statement",
            |record| record["quality"]["outputSha256"] = json!("0".repeat(64)),
        ),
    ]
}
