//! Base64 as envelopes carry it: written in the standard alphabet, read in either.

use base64_simd::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode_to_string(bytes)
}

/// Bytes of a text in one alphabet or the other; a mixture is refused, and so are bits beyond the last byte. Padding may be
/// left out, as URL-safe writers do.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = unpadded(text)?;
    STANDARD_NO_PAD
        .decode_to_vec(digits)
        .or_else(|_| URL_SAFE_NO_PAD.decode_to_vec(digits))
        .ok()
}

/// The text without its padding, which fills it to a multiple of four or is not there.
fn unpadded(text: &str) -> Option<&[u8]> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let sound = padding == 0 || (padding <= 2 && text.len().is_multiple_of(4));
    sound.then_some(digits.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_are_read_and_no_mixture() {
        for bytes in [&b""[..], b"f", b"fo", b"foo", &[0xFB, 0xEF, 0xBE, 0xFF]] {
            let written = encode(bytes);
            assert_eq!(decode(&written).as_deref(), Some(bytes));
            assert_eq!(decode(written.trim_end_matches('=')).as_deref(), Some(bytes));
            let url_safe = written.replace('+', "-").replace('/', "_");
            assert_eq!(decode(&url_safe).as_deref(), Some(bytes));
        }
        for refused in [
            "++__", "a", "ab=", "abc==", "ab===", "=", "====", "ab=c", "ab c", "ab\n==", "Zm9v=",
        ] {
            assert_eq!(decode(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn bits_beyond_the_last_byte_are_zero() {
        for (sound, spare) in [("Zg==", "Zh=="), ("Zm8=", "Zm9="), ("Zg", "Zv")] {
            assert!(decode(sound).is_some());
            assert_eq!(decode(spare), None, "{spare:?}");
        }
    }
}
