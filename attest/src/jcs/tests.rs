use serde_json::Value;

use super::number::ecmascript;
use super::*;
use crate::statement::MAX_SAFE_INTEGER;

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

#[test]
fn what_has_no_json_form_is_refused() {
    assert_eq!(
        to_vec(&[1.5, f64::NAN]),
        Err(JcsError::NotFinite { number: "NaN".into() })
    );
    assert!(matches!(to_vec(&f32::INFINITY), Err(JcsError::NotFinite { .. })));
    let keyed: std::collections::BTreeMap<u8, u8> = [(1, 1)].into();
    assert_eq!(to_vec(&keyed), Err(JcsError::KeyNotText));
}

#[test]
fn a_flattened_key_that_stands_twice_is_refused() {
    #[derive(Serialize)]
    struct Outer {
        a: u8,
        #[serde(flatten)]
        inner: Inner,
    }
    #[derive(Serialize)]
    struct Inner {
        a: u8,
    }
    let twice = Outer {
        a: 1,
        inner: Inner { a: 2 },
    };
    assert_eq!(to_vec(&twice), Err(JcsError::DuplicateKey { key: "a".into() }));
}

#[test]
fn every_form_of_enum_is_written_as_serde_json_writes_it() {
    #[derive(Serialize)]
    enum Form {
        Unit,
        New(u8),
        Tuple(u8, &'static str),
        Fields { b: Option<u8>, a: () },
    }
    let forms = [
        Form::Unit,
        Form::New(1),
        Form::Tuple(2, "x"),
        Form::Fields { b: None, a: () },
    ];
    assert_eq!(
        to_vec(&forms).expect("canonical bytes"),
        br#"["Unit",{"New":1},{"Tuple":[2,"x"]},{"Fields":{"a":null,"b":null}}]"#
    );
}
