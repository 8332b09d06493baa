//! Measured integers as people read them: three or four significant digits and a unit.

/// A time in picoseconds.
pub(crate) fn time(picoseconds: u64) -> String {
    scaled(
        picoseconds as f64,
        &[(1e12, "s"), (1e9, "ms"), (1e6, "µs"), (1e3, "ns"), (1.0, "ps")],
    )
}

/// Work per second: `per_launch` done in `picoseconds`.
pub(crate) fn rate(per_launch: u64, picoseconds: u64, unit: &str) -> String {
    let per_second = per_launch as f64 * 1e12 / picoseconds.max(1) as f64;
    let text = scaled(
        per_second,
        &[
            (1e15, "P"),
            (1e12, "T"),
            (1e9, "G"),
            (1e6, "M"),
            (1e3, "k"),
            (1.0, ""),
        ],
    );
    format!("{text}{unit}")
}

pub(crate) fn bytes(count: u64) -> String {
    let gib = 1_073_741_824.0;
    scaled(
        count as f64,
        &[(gib, "GiB"), (1_048_576.0, "MiB"), (1024.0, "KiB"), (1.0, "B")],
    )
}

/// Parts per billion as a plain or scientific number.
pub(crate) fn parts(ppb: u64) -> String {
    if ppb == 0 {
        return "0".to_owned();
    }
    format!("{:.2e}", ppb as f64 * 1e-9)
}

fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let (size, unit) = units
        .iter()
        .copied()
        .find(|(size, _)| value >= *size)
        .unwrap_or(*units.last().expect("units are given"));
    let shown = value / size;
    let digits = if shown >= 100.0 {
        0
    } else if shown >= 10.0 {
        1
    } else {
        2
    };
    format!("{shown:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_digits_and_the_right_unit() {
        assert_eq!(time(1_234_000_000), "1.23 ms");
        assert_eq!(time(999), "999 ps");
        assert_eq!(rate(2_000_000, 1_000_000, "FLOP/s"), "2.00 TFLOP/s");
        assert_eq!(rate(1, 1_000_000_000_000, "B/s"), "1.00 B/s");
        assert_eq!(bytes(24 << 30), "24.0 GiB");
        assert_eq!(parts(1_230), "1.23e-6");
    }
}
