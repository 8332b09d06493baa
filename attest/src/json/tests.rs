use super::*;

fn refusal(text: &str) -> String {
    check(text.as_bytes()).expect_err("must be refused").to_string()
}

#[test]
fn sound_documents_pass() {
    for text in [
        "null",
        " {} ",
        "[]",
        "[1,-0,0.5,1e3,1E-400,\"\\u0041\\ud83d\\ude00\\/\"]",
        "{\"a\":{\"a\":[{\"a\":1}]},\"b\":true}",
        "9007199254740991",
        "-9007199254740991",
        "1.7976931348623157e308",
    ] {
        assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
    }
}

#[test]
fn a_key_repeated_in_another_spelling_is_refused() {
    assert_eq!(
        refusal(r#"{"a":1,"b":2,"a":3}"#),
        "key \"a\" stands twice in one object, again at byte 13"
    );
    assert_eq!(
        refusal(r#"{"a":1,"\u0061":3}"#),
        "key \"a\" stands twice in one object, again at byte 7"
    );
    let many: String = (0..100).map(|i| format!("\"k{i}\":0,")).collect();
    assert_eq!(check(format!("{{{many}\"k\":0}}").as_bytes()), Ok(()));
    assert!(refusal(&format!("{{{many}\"k7\":0}}")).starts_with("key \"k7\" stands twice"));
}

#[test]
fn numbers_that_readers_disagree_on_are_refused() {
    for text in ["9007199254740992", "-9007199254740992", "18446744073709551616"] {
        assert_eq!(
            refusal(&format!("[{text}]")),
            format!("the integer {text} at byte 1 is beyond 2^53-1; larger counts are decimal strings")
        );
    }
    assert_eq!(
        refusal("1e400"),
        "the number 1e400 at byte 0 is beyond the range of binary64"
    );
    assert_eq!(
        refusal("-1.5e999"),
        "the number -1.5e999 at byte 0 is beyond the range of binary64"
    );
    for text in [
        "01", "1.", ".5", "+1", "1e", "-", "0x10", "NaN", "Infinity", "1_0",
    ] {
        assert!(check(text.as_bytes()).is_err(), "{text}");
    }
    assert!(refusal(&"9".repeat(10_000)).len() < 200);
}

#[test]
fn half_a_surrogate_pair_is_refused() {
    for text in [
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\ud83dx""#,
        r#""\ud83d\n""#,
        r#""\ud83d\ud83d""#,
        r#"{"\udead":1}"#,
    ] {
        assert!(refusal(text).ends_with("is half a surrogate pair"), "{text}");
    }
    assert_eq!(check(b"\"\xed\xa0\x80\""), Err(JsonError::NotUtf8 { offset: 1 }));
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(check(nested(MAX_DEPTH).as_bytes()), Ok(()));
    assert_eq!(
        refusal(&nested(MAX_DEPTH + 1)),
        "byte 32 opens level 33; at most 32 levels are read"
    );
    assert!(refusal(&"[{\"a\":".repeat(1 << 18)).contains("at most 32 levels"));
    assert_eq!(
        from_slice::<u64>(b"12345", 4),
        Err(JsonError::TooLarge { bytes: 5, limit: 4 })
    );
}

#[test]
fn whatever_is_not_json_is_refused_where_it_stands() {
    for (text, message) in [
        ("", "the document ends at byte 0, where a value should follow"),
        ("{\"a\":1,}", "byte 7 is '}', where a string should stand"),
        ("[1,]", "byte 3 is ']', where a value should stand"),
        (
            "[1 2]",
            "byte 3 is '2', where a comma or the end of the array should stand",
        ),
        ("{'a':1}", "byte 1 is '\\'', where a string should stand"),
        ("1 1", "byte 2 follows the end of the document"),
        ("\u{feff}1", "byte 0 is '\\u{feff}', where a value should stand"),
        ("tru", "byte 0 is 't', where true, false or null should stand"),
        ("\"\\x\"", "byte 2 is 'x', where one of \"\\/bfnrtu should stand"),
        (
            "\"\\u12g4\"",
            "byte 5 is 'g', where a hexadecimal digit should stand",
        ),
        (
            "\"abc",
            "the document ends at byte 4, where a character of a string, control characters escaped should follow",
        ),
        (
            "\"a\nb\"",
            "byte 2 is '\\n', where a character of a string, control characters escaped should stand",
        ),
    ] {
        assert_eq!(refusal(text), message, "{text}");
    }
}

#[test]
fn unknown_keys_are_checked_all_the_same() {
    #[derive(serde::Deserialize, Debug)]
    struct Known {
        a: u64,
    }
    let known: Known = from_slice(br#"{"z":[1],"a":7}"#, 100).expect("unknown keys are ignored");
    assert_eq!(known.a, 7);
    assert!(from_slice::<Known>(br#"{"z":{"b":1,"b":2},"a":7}"#, 100).is_err());
    assert!(
        from_slice::<Known>(br#"{"a":"7"}"#, 100)
            .expect_err("a string is no number")
            .to_string()
            .starts_with("the document is sound JSON of another shape: ")
    );
}
