//! Strict reading of JSON: I-JSON (RFC 7493) with bounded size and depth.
//!
//! Two readers of one signed document must see the same document. So a document is refused when it repeats a key (in any
//! spelling of its escapes), holds half a surrogate pair, an integer past 2^53-1 in magnitude or a number past the range
//! of binary64, nests deeper than [`MAX_DEPTH`], or is larger than its reader allows.

mod scan;

use serde::de::DeserializeOwned;

pub(crate) use scan::Scanner;

/// Arrays and objects inside one another. The deepest document of ours, a receipt, needs eight.
pub const MAX_DEPTH: usize = 32;

/// Bytes of the largest document that [`check`] looks at: a receipt around a statement of 1 MiB fits four times.
pub const MAX_BYTES: usize = 8 << 20;

/// Why a document is not read. Offsets count bytes from 0.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    #[error("the document has {bytes} bytes; at most {limit} are read")]
    TooLarge { bytes: usize, limit: usize },
    #[error("byte {offset} is not UTF-8")]
    NotUtf8 { offset: usize },
    #[error("the document ends at byte {offset}, where {expected} should follow")]
    Ended { offset: usize, expected: &'static str },
    #[error("byte {offset} is {found:?}, where {expected} should stand")]
    Unexpected {
        offset: usize,
        found: char,
        expected: &'static str,
    },
    #[error("byte {offset} opens level {level}; at most {MAX_DEPTH} levels are read")]
    TooDeep { offset: usize, level: usize },
    #[error("key {key:?} stands twice in one object, again at byte {offset}")]
    DuplicateKey { key: String, offset: usize },
    #[error("the escape at byte {offset} is half a surrogate pair")]
    LoneSurrogate { offset: usize },
    #[error("the integer {text} at byte {offset} is beyond 2^53-1; larger counts are decimal strings")]
    IntegerTooLarge { text: String, offset: usize },
    #[error("the number {text} at byte {offset} is beyond the range of binary64")]
    NotFinite { text: String, offset: usize },
    #[error("byte {offset} follows the end of the document")]
    Trailing { offset: usize },
    #[error("the document is sound JSON of another shape: {reason}")]
    Shape { reason: String },
}

/// Whether `bytes` are one sound document of at most [`MAX_BYTES`].
pub fn check(bytes: &[u8]) -> Result<(), JsonError> {
    scan(bytes, MAX_BYTES).map(drop)
}

/// Reads a document of at most `max_bytes`. Keys that `T` does not know are checked and ignored.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8], max_bytes: usize) -> Result<T, JsonError> {
    let text = scan(bytes, max_bytes)?;
    serde_json::from_str(text).map_err(|error| JsonError::Shape {
        reason: error.to_string(),
    })
}

fn scan(bytes: &[u8], max_bytes: usize) -> Result<&str, JsonError> {
    let mut scanner = Scanner::new(bytes, max_bytes)?;
    scanner.value()?;
    scanner.end()?;
    Ok(scanner.text())
}

#[cfg(test)]
mod tests;
