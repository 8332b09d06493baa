//! The device's clock beside the host's.

use attest::statement::Witness;

/// How much the two clocks may differ, as a share of the host's (one part in fifty is 2 %).
const CLOCK_DISAGREEMENT: u64 = 50;

/// Refuses figures whose two clocks disagree: one of them lies, or the span was not what was timed.
pub(super) fn agree(witness: &Witness) -> Result<(), String> {
    let Witness { device_ns, host_ns } = *witness;
    if device_ns.abs_diff(host_ns) > host_ns / CLOCK_DISAGREEMENT {
        return Err(format!(
            "the device's clock says {device_ns} ns and the host's {host_ns} ns for the same launches; allowed are 2 %"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_by_two_per_cent_and_no_more() {
        assert!(
            agree(&Witness {
                device_ns: 980_000_000,
                host_ns: 1_000_000_000
            })
            .is_ok()
        );
        assert!(
            agree(&Witness {
                device_ns: 1_020_000_000,
                host_ns: 1_000_000_000
            })
            .is_ok()
        );
        assert!(
            agree(&Witness {
                device_ns: 979_999_999,
                host_ns: 1_000_000_000
            })
            .is_err()
        );
        assert!(
            agree(&Witness {
                device_ns: 2_000_000_000,
                host_ns: 1_000_000_000
            })
            .is_err()
        );
    }
}
