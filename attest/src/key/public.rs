//! Public keys and the check of a signature.

use std::fmt;

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{DerSignature, VerifyingKey};
use pkcs8::Document;
use pkcs8::LineEnding;

use super::{KeyError, SignatureError, check_form};
use crate::digest::Sha256;

/// Bytes of the SubjectPublicKeyInfo of a P-256 key with an uncompressed point: its only form here, so a key has one id.
pub const SPKI_BYTES: usize = 91;

/// DER of everything before the point: id-ecPublicKey (RFC 5480, 2.1.1) with the named curve secp256r1.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

const PEM_LABEL: &str = "PUBLIC KEY";

/// A P-256 public key: a point that is on the curve.
#[derive(Clone)]
pub struct PublicKey {
    point: VerifyingKey,
    spki: [u8; SPKI_BYTES],
    id: Sha256,
}

impl PublicKey {
    /// Reads DER of a SubjectPublicKeyInfo.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let spki: [u8; SPKI_BYTES] = der
            .try_into()
            .map_err(|_| KeyError::WrongLength { bytes: der.len() })?;
        let (prefix, point) = spki.split_at(SPKI_PREFIX.len());
        // 4 marks an uncompressed point.
        if prefix != SPKI_PREFIX || point[0] != 4 {
            return Err(KeyError::WrongAlgorithm);
        }
        Ok(Self {
            point: VerifyingKey::from_sec1_bytes(point).map_err(|_| KeyError::NotOnCurve)?,
            id: Sha256::of(&spki),
            spki,
        })
    }

    /// Reads a PEM block `PUBLIC KEY`.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let (label, document) =
            Document::from_pem(pem.trim()).map_err(|error| KeyError::NotPem(error.to_string()))?;
        if label != PEM_LABEL {
            return Err(KeyError::WrongLabel {
                found: label.to_owned(),
                expected: "PUBLIC KEY",
            });
        }
        Self::from_spki_der(document.as_bytes())
    }

    pub(super) fn of(point: VerifyingKey) -> Self {
        let mut spki = [0; SPKI_BYTES];
        spki[..SPKI_PREFIX.len()].copy_from_slice(&SPKI_PREFIX);
        spki[SPKI_PREFIX.len()..].copy_from_slice(point.to_sec1_point(false).as_bytes());
        Self {
            point,
            id: Sha256::of(&spki),
            spki,
        }
    }

    /// DER of the SubjectPublicKeyInfo.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The uncompressed point of SEC 1: 4, x, y; 65 bytes.
    pub fn point(&self) -> &[u8] {
        &self.spki[SPKI_PREFIX.len()..]
    }

    pub fn to_pem(&self) -> String {
        Document::try_from(&self.spki[..])
            .and_then(|document| document.to_pem(PEM_LABEL, LineEnding::LF))
            .expect("91 bytes of DER have a PEM form")
    }

    /// SHA-256 of the SubjectPublicKeyInfo: the key's name everywhere.
    pub fn id(&self) -> Sha256 {
        self.id
    }

    /// Whether `der` signs `message`.
    pub fn verify(&self, message: &[u8], der: &[u8]) -> Result<(), SignatureError> {
        self.verify_digest(&Sha256::of(message), der, &P256)
    }

    /// Whether `der` signs the message whose SHA-256 is `digest`.
    pub fn verify_digest(
        &self,
        digest: &Sha256,
        der: &[u8],
        by: &dyn SignatureCheck,
    ) -> Result<(), SignatureError> {
        if by.check(self, digest, der) {
            return Ok(());
        }
        check_form(der)?;
        Err(SignatureError::Wrong { key_id: self.id })
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id)
    }
}

/// An implementation of ECDSA P-256. Implementations differ in speed only; each must accept what [`P256`] accepts.
pub trait SignatureCheck: Send + Sync {
    /// Whether `der`, ASN.1 DER of r and s, signs the message whose SHA-256 is `digest`. A high s is accepted.
    fn check(&self, key: &PublicKey, digest: &Sha256, der: &[u8]) -> bool;
}

/// The check in Rust, by the crate `p256`: runs wherever this crate does.
#[derive(Clone, Copy, Debug)]
pub struct P256;

impl SignatureCheck for P256 {
    fn check(&self, key: &PublicKey, digest: &Sha256, der: &[u8]) -> bool {
        DerSignature::from_bytes(der)
            .is_ok_and(|signature| key.point.verify_prehash(&digest.0, &signature).is_ok())
    }
}
