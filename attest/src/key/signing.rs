//! Signing keys and their files.

use std::fmt;

use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{DerSignature, SigningKey as Scalar};
use pkcs8::{EncodePrivateKey as _, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::{KeyError, PublicKey, sealed};
use crate::digest::Sha256;

/// A P-256 private key. Its memory is wiped when it is dropped.
pub struct SigningKey {
    scalar: Scalar,
    public: PublicKey,
}

impl SigningKey {
    /// A fresh key from the system's random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            getrandom::fill(&mut *bytes).map_err(KeyError::Random)?;
            // One draw in 2^32 is not below the order of the curve.
            if let Ok(scalar) = Scalar::from_slice(&*bytes) {
                return Ok(Self::of(scalar));
            }
        }
    }

    fn of(scalar: Scalar) -> Self {
        Self {
            public: PublicKey::of(*scalar.verifying_key()),
            scalar,
        }
    }

    /// Reads PKCS#8 in PEM, encrypted or not. A password is used only when the key is encrypted.
    pub fn from_pem(pem: &str, password: Option<&[u8]>) -> Result<Self, KeyError> {
        Self::from_pkcs8(sealed::open(pem, password)?.as_bytes())
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let refused = |error: &dyn fmt::Display| KeyError::NotPrivateKey(error.to_string());
        let key = PrivateKeyInfoRef::try_from(der).map_err(|error| refused(&error))?;
        Scalar::try_from(key)
            .map(Self::of)
            .map_err(|error| refused(&error))
    }

    /// PKCS#8 in PEM, encrypted with AES-256-CBC under scrypt when a password is given.
    pub fn to_pem(&self, password: Option<&[u8]>) -> Result<Zeroizing<String>, KeyError> {
        let plain = self
            .scalar
            .to_pkcs8_der()
            .map_err(|error| KeyError::Encrypt(error.to_string()))?;
        sealed::seal(&plain, password)
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message: ASN.1 DER of r and s, the nonce derived from key and message (RFC 6979).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.sign_digest(&Sha256::of(message))
    }

    /// Signs the message whose SHA-256 is `digest`.
    pub fn sign_digest(&self, digest: &Sha256) -> Vec<u8> {
        let signature: DerSignature = self
            .scalar
            .sign_prehash(&digest.0)
            .expect("32 bytes are a digest for P-256");
        signature.as_bytes().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id())
    }
}
