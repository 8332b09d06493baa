//! Laws over made-up documents.

use attest::dsse::Envelope;
use attest::key::P256;
use attest::{jcs, json};
use proptest::prelude::*;
use serde_json::Value;

use crate::sample;

fn finite() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("JSON has no other", |number| number.is_finite())
}

/// Documents without the few things that I-JSON forbids.
fn document() -> impl Strategy<Value = Value> {
    nested(prop_oneof![whole(), finite().prop_map(Value::from)])
}

/// Values that serde_json reads back exactly; its floats may be off by the last bit.
fn whole() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53) + 1..1_i64 << 53).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ]
}

fn nested(leaf: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Canonical text as another reader takes it.
fn keys_in_order(text: &str) -> Vec<Vec<u16>> {
    let value: serde_json::Map<String, Value> = serde_json::from_str(text).expect("an object");
    let mut keys: Vec<(usize, Vec<u16>)> = value
        .keys()
        .map(|key| {
            let written = serde_json::to_string(&serde_json::json!({ key.as_str(): 0 })).expect("JSON");
            let written = &written[1..written.len() - 2];
            (
                text.find(written).expect("the key as it is written"),
                key.encode_utf16().collect(),
            )
        })
        .collect();
    keys.sort();
    keys.into_iter().map(|(_, key)| key).collect()
}

proptest! {
    #[test]
    fn canonical_bytes_read_back_and_are_their_own_canonical_form(value in nested(whole())) {
        let bytes = jcs::to_vec(&value).expect("every such document has canonical bytes");
        prop_assert_eq!(json::check(&bytes), Ok(()));
        let read: Value = serde_json::from_slice(&bytes).expect("JSON");
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(jcs::to_vec(&read).expect("canonical bytes"), bytes);
    }

    #[test]
    fn floats_keep_their_value(number in finite()) {
        let bytes = jcs::to_vec(&number).expect("canonical bytes");
        let text = String::from_utf8(bytes).expect("UTF-8");
        prop_assert_eq!(text.parse::<f64>().expect("a number") + 0.0, number + 0.0);
        prop_assert!(text.len() <= 25, "{}", text);
    }

    #[test]
    fn keys_stand_in_the_order_of_their_utf_16(keys in prop::collection::btree_set("[a-z\u{e0}-\u{ff}\u{e000}-\u{efff}\u{1f600}-\u{1f64f}]{1,3}", 0..12)) {
        // A closing quote after the key keeps one key from being found inside another.
        let object: serde_json::Map<String, Value> = keys.into_iter().map(|key| (key, Value::from(0))).collect();
        let text = String::from_utf8(jcs::to_vec(&object).expect("canonical bytes")).expect("UTF-8");
        let order = keys_in_order(&text);
        prop_assert!(order.is_sorted());
    }

    #[test]
    fn whatever_the_scanner_takes_serde_json_takes_too(text in "[\\[\\]{}:,\"\\\\ua0-9eE.+\\- tfn]{0,24}") {
        if json::check(text.as_bytes()).is_ok() {
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn a_sound_document_in_any_layout_passes(value in document()) {
        let pretty = serde_json::to_vec_pretty(&value).expect("JSON");
        prop_assert_eq!(json::check(&pretty), Ok(()));
    }

    #[test]
    fn any_change_of_a_document_is_judged_without_a_panic(value in document(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = serde_json::to_vec(&value).expect("JSON");
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if json::check(&bytes).is_ok() {
            prop_assert!(serde_json::from_slice::<Value>(&bytes).is_ok());
        }
    }

    #[test]
    fn any_payload_survives_its_envelope(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let key = sample::provider();
        let envelope = Envelope::sign(payload, &key);
        let read = Envelope::parse(&envelope.to_json()).expect("an envelope");
        prop_assert_eq!(&read, &envelope);
        let verified = read.open(key.public(), &P256).expect("signed");
        prop_assert_eq!(verified.payload(), &envelope.payload[..]);
    }
}
