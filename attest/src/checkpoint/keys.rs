use std::fmt;

use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use ed25519_dalek::{Signature, Signer as _, VerifyingKey};
use zeroize::Zeroizing;

use crate::digest::Sha256;
use crate::key::{KeyError, PublicKey, SigningKey, sealed};
use crate::note::{KeyId, NoteSignature};

/// The two private keys of one log.
pub struct LogKeys {
    pub ecdsa: SigningKey,
    pub ed25519: ed25519_dalek::SigningKey,
}

/// Why a log's keys are not read.
#[derive(Debug, thiserror::Error)]
pub enum LogKeysError {
    #[error("the file holds {got} PEM blocks, not the 2 of a log: ECDSA P-256, then Ed25519")]
    BlockCount { got: usize },
    #[error("the log's ECDSA key, the first PEM block: {0}")]
    Ecdsa(#[source] KeyError),
    #[error("the log's Ed25519 key, the second PEM block: {0}")]
    Ed25519(#[source] KeyError),
}

const PEM_BEGIN: &str = "-----BEGIN ";

impl LogKeys {
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(KeyError::Random)?;
        Ok(Self {
            ecdsa: SigningKey::generate()?,
            ed25519: ed25519_dalek::SigningKey::from_bytes(&seed),
        })
    }

    /// Two PEM blocks of PKCS#8, ECDSA first, encrypted when a password is given.
    pub fn to_pem(&self, password: Option<&[u8]>) -> Result<Zeroizing<String>, KeyError> {
        let ed25519 = self
            .ed25519
            .to_pkcs8_der()
            .map_err(|error| KeyError::Encrypt(error.to_string()))?;
        let mut pem = self.ecdsa.to_pem(password)?;
        pem.push_str(&sealed::seal(&ed25519, password)?);
        Ok(pem)
    }

    /// Reads what [`Self::to_pem`] writes.
    pub fn from_pem(pem: &str, password: Option<&[u8]>) -> Result<Self, LogKeysError> {
        let starts: Vec<_> = pem.match_indices(PEM_BEGIN).map(|(at, _)| at).collect();
        let [first, second] = starts[..] else {
            return Err(LogKeysError::BlockCount { got: starts.len() });
        };
        let ecdsa = SigningKey::from_pem(&pem[first..second], password).map_err(LogKeysError::Ecdsa)?;
        let ed25519 = sealed::open(&pem[second..], password)
            .and_then(|document| {
                ed25519_dalek::SigningKey::from_pkcs8_der(document.as_bytes())
                    .map_err(|error| KeyError::NotPem(format!("no Ed25519 key in PKCS#8: {error}")))
            })
            .map_err(LogKeysError::Ed25519)?;
        Ok(Self { ecdsa, ed25519 })
    }

    /// What a reader needs to check this log's checkpoints.
    pub fn trust(&self, origin: &str) -> LogTrust {
        LogTrust {
            origin: origin.to_owned(),
            keys: vec![
                LogKey::Ecdsa(self.ecdsa.public().clone()),
                LogKey::Ed25519(self.ed25519.verifying_key()),
            ],
        }
    }

    pub(super) fn sign(&self, origin: &str, text: &[u8]) -> Vec<NoteSignature> {
        let signatures = [self.ecdsa.sign(text), self.ed25519.sign(text).to_vec()];
        let keys = self.trust(origin).keys;
        keys.iter()
            .zip(signatures)
            .map(|(key, signature)| NoteSignature {
                name: origin.to_owned(),
                key_id: key.note_id(origin),
                signature,
            })
            .collect()
    }
}

impl fmt::Debug for LogKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKeys({})", self.ecdsa.public().id())
    }
}

/// The keys by which one log is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTrust {
    pub origin: String,
    /// Each of them must have signed a checkpoint.
    pub keys: Vec<LogKey>,
}

impl LogTrust {
    /// Id of the log's ECDSA key, by which receipts name the log.
    pub fn id(&self) -> Option<Sha256> {
        self.keys.iter().find_map(|key| match key {
            LogKey::Ecdsa(key) => Some(key.id()),
            LogKey::Ed25519(_) => None,
        })
    }
}

/// A log's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogKey {
    Ecdsa(PublicKey),
    Ed25519(VerifyingKey),
}

/// DER before the 32 key bytes: a SubjectPublicKeyInfo with id-Ed25519 (RFC 8410).
const ED25519_SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

impl LogKey {
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Ecdsa(_) => "ECDSA P-256",
            Self::Ed25519(_) => "Ed25519",
        }
    }

    /// DER of the SubjectPublicKeyInfo.
    pub fn spki_der(&self) -> Vec<u8> {
        match self {
            Self::Ecdsa(key) => key.spki_der().to_vec(),
            Self::Ed25519(key) => [&ED25519_SPKI_PREFIX[..], key.as_bytes()].concat(),
        }
    }

    /// Reads an Ed25519 key's SubjectPublicKeyInfo. Small-order keys, under which anything verifies, are refused.
    pub fn ed25519_from_spki(der: &[u8]) -> Option<Self> {
        let key = der.strip_prefix(&ED25519_SPKI_PREFIX)?.try_into().ok()?;
        let key = VerifyingKey::from_bytes(key).ok()?;
        (!key.is_weak()).then_some(Self::Ed25519(key))
    }

    /// The full hash whose first four bytes are [`Self::note_id`]; Sigstore's documents call it the log's id.
    pub fn log_id(&self, origin: &str) -> Sha256 {
        match self {
            Self::Ecdsa(key) => key.id(),
            Self::Ed25519(key) => Sha256::of_parts(&[origin.as_bytes(), b"\n\x01", key.as_bytes()]),
        }
    }

    /// How this key's signature lines are found.
    pub fn note_id(&self, origin: &str) -> KeyId {
        match self {
            Self::Ecdsa(key) => KeyId::ecdsa(key.spki_der()),
            Self::Ed25519(key) => KeyId::ed25519(origin, key.as_bytes()),
        }
    }

    /// The verifier key line of C2SP signed-note, which other readers take: `<origin>+<key id>+<base64>`.
    pub fn verifier_line(&self, origin: &str) -> String {
        use base64::Engine as _;
        let key = match self {
            Self::Ecdsa(key) => [&[2], key.spki_der()].concat(),
            Self::Ed25519(key) => [&[1], &key.as_bytes()[..]].concat(),
        };
        let key = base64::engine::general_purpose::STANDARD.encode(key);
        format!("{origin}+{}+{key}", self.note_id(origin))
    }

    pub(super) fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ecdsa(key) => key.verify(text, signature).is_ok(),
            Self::Ed25519(key) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(text, &signature).is_ok()),
        }
    }
}
