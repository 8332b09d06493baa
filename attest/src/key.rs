//! Keys: ECDSA on P-256.
//!
//! A private key is PKCS#8 in PEM, encrypted by default with PBES2: AES-256-CBC under scrypt (N = 2^14, r = 8, p = 1, salt of
//! 16 bytes), which OpenSSL 3.0 and later open. A public key is a SubjectPublicKeyInfo with an uncompressed point, 91 bytes
//! of DER; its SHA-256 is the key's id. Other encodings of the same point are refused, so a key has one id.

mod public;
pub(crate) mod sealed;
mod signing;

pub use public::{P256, PublicKey, SPKI_BYTES, SignatureCheck};
pub use signing::SigningKey;

/// Why a key is not read or not written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the key is not PEM: {0}")]
    NotPem(String),
    #[error("the PEM block is {found:?}; {expected} is wanted")]
    WrongLabel { found: String, expected: &'static str },
    #[error("the key is encrypted and no password was given")]
    PasswordNeeded,
    #[error("the password does not open the key, or the key is damaged")]
    WrongPassword,
    #[error("the key is no P-256 private key in PKCS#8: {0}")]
    NotPrivateKey(String),
    #[error(
        "the key is no P-256 public key: its SubjectPublicKeyInfo has {bytes} bytes and not the {SPKI_BYTES} of an uncompressed point"
    )]
    WrongLength { bytes: usize },
    #[error(
        "the key is no P-256 public key: its SubjectPublicKeyInfo names another algorithm, curve or point form"
    )]
    WrongAlgorithm,
    #[error("the key is no P-256 public key: its point is not on the curve")]
    NotOnCurve,
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
    #[error("the key cannot be encrypted: {0}")]
    Encrypt(String),
}

/// Why a signature is not accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the signature is a raw r||s pair of 64 bytes; only ASN.1 DER is read")]
    Raw,
    #[error("the signature is not ASN.1 DER of two integers below the order of P-256")]
    NotDer,
    #[error("the signature is not by key {key_id} over these bytes")]
    Wrong { key_id: crate::digest::Sha256 },
}

/// Whether `der` has the form of a signature, whoever made it.
pub(crate) fn check_form(der: &[u8]) -> Result<(), SignatureError> {
    match p256::ecdsa::DerSignature::from_bytes(der) {
        Ok(_) => Ok(()),
        Err(_) if der.len() == 64 => Err(SignatureError::Raw),
        Err(_) => Err(SignatureError::NotDer),
    }
}

#[cfg(test)]
mod tests;
