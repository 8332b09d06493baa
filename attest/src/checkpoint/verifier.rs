//! Verifier key lines (C2SP signed-note): how a log's operator publishes a key on one line of text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;

use super::LogKey;
use crate::key::PublicKey;
use crate::note;

/// Why a verifier key line is not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError {
    #[error("{line:?} is not <origin>+<key id>+<base64 key>")]
    Shape { line: String },
    #[error(
        "the key of {origin:?} is of a type or form that is not read; types 1 (Ed25519) and 2 (ECDSA P-256) are"
    )]
    Key { origin: String },
    #[error("the key of {origin:?} has the id {computed}, the line says {written:?}")]
    Id {
        origin: String,
        computed: String,
        written: String,
    },
}

impl LogKey {
    /// Reads what [`LogKey::verifier_line`] writes: the origin and its key.
    pub fn from_verifier_line(line: &str) -> Result<(String, Self), VerifierError> {
        let line = line.trim();
        let shape = || VerifierError::Shape {
            line: line.chars().take(200).collect(),
        };
        // Base64 has plus signs too; an origin has none.
        let mut parts = line.splitn(3, '+');
        let (Some(origin), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(shape());
        };
        note::check_name(origin).map_err(|_| shape())?;
        let key = STANDARD
            .decode(key)
            .ok()
            .and_then(|bytes| Self::from_typed(&bytes));
        let key = key.ok_or_else(|| VerifierError::Key {
            origin: origin.to_owned(),
        })?;
        let computed = key.note_id(origin).to_string();
        if computed != id {
            let (origin, written) = (origin.to_owned(), id.chars().take(80).collect());
            return Err(VerifierError::Id {
                origin,
                computed,
                written,
            });
        }
        Ok((origin.to_owned(), key))
    }

    fn from_typed(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (1, key) => {
                let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
                (!key.is_weak()).then_some(Self::Ed25519(key))
            }
            (2, spki) => PublicKey::from_spki_der(spki).ok().map(Self::Ecdsa),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::LogKeys;

    #[test]
    fn both_keys_of_a_log_survive_their_lines() {
        let trust = LogKeys::generate().expect("random keys").trust("log.example/one");
        for key in &trust.keys {
            let line = key.verifier_line("log.example/one");
            assert_eq!(
                LogKey::from_verifier_line(&line),
                Ok(("log.example/one".to_owned(), key.clone()))
            );
        }
    }

    #[test]
    fn a_line_with_another_origin_or_key_has_another_id() {
        let trust = LogKeys::generate().expect("random keys").trust("log.example/one");
        let ed25519 = trust
            .keys
            .iter()
            .find(|key| matches!(key, LogKey::Ed25519(_)))
            .expect("a log has both");
        let line = ed25519.verifier_line("log.example/one").replace("one+", "two+");
        assert!(matches!(
            LogKey::from_verifier_line(&line),
            Err(VerifierError::Id { .. })
        ));
        for broken in [
            "",
            "log.example/one",
            "log.example/one+00000000",
            "log.example/one+00000000+AA==",
            "a b+00000000+AQ==",
        ] {
            assert!(LogKey::from_verifier_line(broken).is_err(), "{broken:?}");
        }
    }
}
