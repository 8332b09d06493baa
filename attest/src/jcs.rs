//! Canonical JSON (RFC 8785): the bytes that are signed and hashed.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::statement::MAX_SAFE_INTEGER;

/// Why a value has no canonical bytes.
#[derive(Debug, thiserror::Error)]
pub enum JcsError {
    #[error(
        "the integer {number} is beyond 2^53-1 and would be rounded by other readers; write it as a decimal string"
    )]
    IntegerTooLarge { number: Number },
    #[error("the value has no JSON form: {0}")]
    NotJson(#[from] serde_json::Error),
}

/// Canonical bytes of a value.
pub fn to_vec<T: Serialize>(value: &T) -> Result<Vec<u8>, JcsError> {
    let mut text = String::new();
    write_value(&serde_json::to_value(value)?, &mut text)?;
    Ok(text.into_bytes())
}

fn write_value(value: &Value, out: &mut String) -> Result<(), JcsError> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out)?,
        Value::String(text) => write_string(text, out),
        Value::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(element, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => write_object(members, out)?,
    }
    Ok(())
}

/// Members in the order of their keys' UTF-16 code units.
fn write_object(members: &Map<String, Value>, out: &mut String) -> Result<(), JcsError> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push('{');
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(key, out);
        out.push(':');
        write_value(value, out)?;
    }
    out.push('}');
    Ok(())
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest
        .bytes()
        .position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            0x0c => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            control => write!(out, "\\u{control:04x}").expect("a String takes every write"),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

fn write_number(number: &Number, out: &mut String) -> Result<(), JcsError> {
    let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    match (magnitude, number.as_f64()) {
        (Some(magnitude), _) if magnitude > MAX_SAFE_INTEGER => Err(JcsError::IntegerTooLarge {
            number: number.clone(),
        }),
        (Some(_), _) => {
            write!(out, "{number}").expect("a String takes every write");
            Ok(())
        }
        (None, float) => {
            out.push_str(&ecmascript(
                float.expect("serde_json numbers are integers or finite floats"),
            ));
            Ok(())
        }
    }
}

/// A finite number as ECMAScript's `Number::toString` writes it (ECMA-262, 6.1.6.1.20).
fn ecmascript(number: f64) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        let value: Value = serde_json::from_str(text).expect("JSON");
        String::from_utf8(to_vec(&value).expect("canonical bytes")).expect("UTF-8")
    }

    #[test]
    fn keys_are_ordered_by_utf_16() {
        // RFC 8785, section 3.2.3.
        assert_eq!(
            canonical(
                r#"{"\u20ac":"Euro","\r":"CR","\ufb33":"Dalet","1":"One","\ud83d\ude00":"Grin","\u0080":"Control","\u00f6":"o"}"#
            ),
            "{\"\\r\":\"CR\",\"1\":\"One\",\"\u{80}\":\"Control\",\"ö\":\"o\",\"€\":\"Euro\",\"😀\":\"Grin\",\"\u{fb33}\":\"Dalet\"}"
        );
    }

    #[test]
    fn the_example_of_the_standard_has_its_bytes() {
        // RFC 8785, section 3.2.2 and 3.2.4.
        let value = serde_json::json!({
            "numbers": [333_333_333.333_333_3, 1E30, 4.50, 2e-3, 0.000_000_000_000_000_000_000_000_001],
            "string": "\u{20ac}$\u{f}\nA'B\"\\\\\"/",
            "literals": [null, true, false]
        });
        assert_eq!(
            String::from_utf8(to_vec(&value).expect("canonical bytes")).expect("UTF-8"),
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
    }

    #[test]
    fn numbers_are_written_as_ecmascript_writes_them() {
        // RFC 8785, appendix B.
        for (bits, text) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(ecmascript(f64::from_bits(bits)), text);
        }
    }

    #[test]
    fn an_integer_that_others_would_round_is_refused() {
        assert!(to_vec(&MAX_SAFE_INTEGER).is_ok());
        assert!(to_vec(&-(MAX_SAFE_INTEGER as i64)).is_ok());
        assert_eq!(
            to_vec(&(MAX_SAFE_INTEGER + 1))
                .expect_err("beyond 2^53-1")
                .to_string(),
            "the integer 9007199254740992 is beyond 2^53-1 and would be rounded by other readers; write it as a decimal string"
        );
        assert!(to_vec(&i64::MIN).is_err());
    }
}
