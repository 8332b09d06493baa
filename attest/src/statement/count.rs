//! Counts that may pass 2^53-1, where JSON numbers stop being exact.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Largest integer every JSON reader keeps exactly (RFC 7493, section 2.2).
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A count: a JSON number up to 2^53-1, a decimal string above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub u64);

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 <= MAX_SAFE_INTEGER {
            serializer.serialize_u64(self.0)
        } else {
            serializer.collect_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

/// Takes each count in the one form it is written in.
struct Written;

impl Visitor<'_> for Written {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer up to 2^53-1 or the decimal string of a larger one")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Count, E> {
        if number <= MAX_SAFE_INTEGER {
            Ok(Count(number))
        } else {
            Err(E::custom(format!(
                "{number} exceeds 2^53-1 and must be a decimal string"
            )))
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Count, E> {
        match text.parse::<u64>() {
            Ok(number) if number > MAX_SAFE_INTEGER && number.to_string() == text => Ok(Count(number)),
            _ => Err(E::custom(format!(
                "{text:?} is not a decimal integer between 2^53 and 2^64-1"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_has_one_written_form() {
        for (count, text) in [
            (0, "0"),
            (MAX_SAFE_INTEGER, "9007199254740991"),
            (1 << 53, "\"9007199254740992\""),
            (u64::MAX, "\"18446744073709551615\""),
        ] {
            assert_eq!(serde_json::to_string(&Count(count)).expect("a count"), text);
            assert_eq!(
                serde_json::from_str::<Count>(text).expect("a count"),
                Count(count)
            );
        }
        for refused in [
            "9007199254740992",
            "\"7\"",
            "\"09007199254740992\"",
            "-1",
            "1.5",
            "\"+9007199254740992\"",
        ] {
            assert!(serde_json::from_str::<Count>(refused).is_err(), "{refused}");
        }
    }
}
