//! Canonical JSON (RFC 8785): the bytes that are signed and hashed.
//!
//! No white space; members in the order of their keys' UTF-16 code units; strings with the shortest escapes and everything
//! else as it is; numbers as ECMAScript writes them. Stricter than the standard in one point: an integer beyond 2^53-1 is
//! refused, where others round it silently. Hallmark's own documents hold no fractions.

mod compound;
mod number;
mod write;

use serde::{Serialize, ser};

/// Why a value has no canonical bytes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum JcsError {
    #[error(
        "the integer {number} is beyond 2^53-1 and would be rounded by other readers; write it as a decimal string"
    )]
    IntegerTooLarge { number: i128 },
    #[error("the number {number} has no JSON form")]
    NotFinite { number: String },
    #[error("key {key:?} stands twice in one object")]
    DuplicateKey { key: String },
    #[error("a key is no text")]
    KeyNotText,
    #[error("the value has no JSON form: {0}")]
    Other(String),
}

impl ser::Error for JcsError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }
}

/// Canonical bytes of a value.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, JcsError> {
    let mut bytes = Vec::new();
    value.serialize(write::Writer::new(&mut bytes))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
