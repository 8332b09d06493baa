//! Numbers as ECMAScript writes them.

/// A finite number as ECMAScript's `Number::toString` writes it (ECMA-262, 6.1.6.1.20).
pub(super) fn ecmascript(number: f64) -> String {
    if number == 0.0 {
        return "0".into();
    }
    let written = shortest(number.abs());
    let (mantissa, exponent) = written.split_once('e').expect("the exponent form has an e");
    let digits = mantissa.replace('.', "");
    let count = digits.len() as i32;
    // The value is 0.digits times 10^point.
    let point = exponent.parse::<i32>().expect("a small decimal exponent") + 1;
    let sign = if number < 0.0 { "-" } else { "" };
    match point {
        22.. | ..=-6 => {
            let fraction = if count > 1 {
                format!(".{}", &digits[1..])
            } else {
                String::new()
            };
            format!("{sign}{}{fraction}e{:+}", &digits[..1], point - 1)
        }
        ..=0 => format!("{sign}0.{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
        _ if point >= count => format!("{sign}{digits}{}", "0".repeat((point - count) as usize)),
        _ => format!(
            "{sign}{}.{}",
            &digits[..point as usize],
            &digits[point as usize..]
        ),
    }
}

/// The fewest digits that read back as `number`, in exponent form; of several such numbers the nearest, of two equally
/// near the even one.
fn shortest(number: f64) -> String {
    let fewest = format!("{number:e}");
    let digits = fewest
        .bytes()
        .take_while(|&byte| byte != b'e')
        .filter(u8::is_ascii_digit)
        .count();
    // Rust's shortest form takes the upper of two equally near; its form of given length takes the even one.
    let nearest = format!("{number:.*e}", digits - 1);
    if nearest.parse() == Ok(number) {
        nearest
    } else {
        fewest
    }
}
