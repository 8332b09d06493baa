//! Numbers with their units, as people read them.

/// `value` with `digits` significant digits, thousands grouped: `12,345`, `1.234`, `0.00123`, `1.2e-7`.
pub(crate) fn significant(value: f64, digits: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    if value.abs() < 1e-4 {
        return format!("{value:.*e}", (digits - 1).max(0) as usize);
    }
    let magnitude = value.abs().log10().floor() as i32;
    let decimals = (digits - 1 - magnitude).max(0) as usize;
    // Rounding may carry into the next magnitude: 9.9996 with four digits is 10.00.
    let carried = format!("{value:.decimals$}");
    let text = if decimals > 0 && carried.trim_start_matches(['-', '0', '.']).len() > digits as usize + 1 {
        format!("{value:.*}", decimals - 1)
    } else {
        carried
    };
    grouped(&text)
}

/// `20.5 T`, `87.5 G`: a rate with the prefix that leaves one to three digits before the point.
pub fn prefixed(value: f64, digits: i32) -> String {
    const PREFIXES: [(f64, &str); 6] = [
        (1e18, "E"),
        (1e15, "P"),
        (1e12, "T"),
        (1e9, "G"),
        (1e6, "M"),
        (1e3, "k"),
    ];
    // A hair of slack keeps powers of ten, computed with logarithms, in their own prefix.
    match PREFIXES.iter().find(|(size, _)| value.abs() >= size * 0.999_999) {
        Some((size, prefix)) => format!("{} {prefix}", significant(value / size, digits)),
        None => significant(value, digits),
    }
}

/// `1,048,576`
pub(crate) fn count(value: u64) -> String {
    grouped(&value.to_string())
}

fn grouped(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits
        .find('.')
        .map_or((digits, ""), |point| digits.split_at(point));
    let mut out = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

/// A unit of time in which a value has one to three digits before the point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TimeUnit {
    pub(crate) name: &'static str,
    ps: f64,
}

const TIME_UNITS: [TimeUnit; 5] = [
    TimeUnit { name: "s", ps: 1e12 },
    TimeUnit { name: "ms", ps: 1e9 },
    TimeUnit { name: "µs", ps: 1e6 },
    TimeUnit { name: "ns", ps: 1e3 },
    TimeUnit { name: "ps", ps: 1.0 },
];

impl TimeUnit {
    pub(crate) fn of(ps: u64) -> Self {
        let fits = TIME_UNITS.iter().find(|unit| ps as f64 >= unit.ps);
        *fits.unwrap_or(&TIME_UNITS[4])
    }

    pub(crate) fn value(self, ps: u64) -> f64 {
        ps as f64 / self.ps
    }
}

/// `1.234 ms`, of picoseconds.
pub fn duration(ps: u64) -> String {
    let unit = TimeUnit::of(ps);
    format!("{} {}", significant(unit.value(ps), 4), unit.name)
}

/// `15.6 GiB`
pub fn memory(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
    ];
    match UNITS.iter().find(|(_, size)| bytes >= *size) {
        Some((name, size)) => format!("{} {name}", significant(bytes as f64 / *size as f64, 3)),
        None => format!("{bytes} B"),
    }
}

/// Memory that a proof shows to be resident: the same, or a dash for a proof that shows none.
pub fn resident(bytes: u64) -> String {
    match bytes {
        0 => "–".to_owned(),
        _ => memory(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn significant_digits_survive_carries_and_groups() {
        for (value, text) in [
            (0.0, "0"),
            (9.99996, "10.00"),
            (0.999_96, "1.000"),
            (1234.6, "1,235"),
            (762_000.0, "762,000"),
            (0.001234, "0.001234"),
            (3.1e-7, "3.100e-7"),
            (99.996, "100.0"),
        ] {
            assert_eq!(significant(value, 4), text, "{value}");
        }
    }

    #[test]
    fn durations_choose_their_unit() {
        assert_eq!(duration(0), "0 ps");
        assert_eq!(duration(1_234_000_000), "1.234 ms");
        assert_eq!(duration(59_999_600), "60.00 µs");
        assert_eq!(duration(86_400_000_000_000_000), "86,400 s");
        assert_eq!(prefixed(20_469e9, 3), "20.5 T");
        assert_eq!(prefixed(1e9, 1), "1 G");
        assert_eq!(memory(16_777_216_000), "15.6 GiB");
    }
}
