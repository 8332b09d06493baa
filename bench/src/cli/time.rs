//! Times on the command line.

use std::time::Duration;

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number
        .parse()
        .map_err(|_| format!("{text:?} does not start with a whole number"))?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "min" | "m" => number.checked_mul(60_000),
        _ => return Err(format!("{text:?} wants a unit: ms, s or min")),
    };
    match milliseconds {
        Some(1..=86_400_000) => Ok(Duration::from_millis(milliseconds.unwrap_or_default())),
        _ => Err(format!("{text:?} is not between 1ms and one day")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_want_a_number_and_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        for refused in ["", "5", "0s", "s", "-1s", "1.5s", "99999999999999999999s", "2d"] {
            assert!(duration(refused).is_err(), "{refused}");
        }
    }
}
