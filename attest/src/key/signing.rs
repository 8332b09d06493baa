//! Signing keys and their files.

use std::fmt;

use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{DerSignature, SigningKey as Scalar};
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::pkcs5::pbes2::Parameters;
use pkcs8::pkcs5::scrypt;
use pkcs8::{
    EncodePrivateKey as _, EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument,
};
use zeroize::Zeroizing;

use super::{KeyError, PublicKey};
use crate::digest::Sha256;

/// Cost of opening an encrypted key: scrypt with N = 2^14, r = 8, p = 1 takes 16 MiB. OpenSSL 3.0 refuses more than 32 MiB.
const SCRYPT_LOG_N: u8 = 14;

const PLAIN: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

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
        let (label, document) =
            SecretDocument::from_pem(pem.trim()).map_err(|error| KeyError::NotPem(error.to_string()))?;
        match label {
            PLAIN => Self::from_pkcs8(document.as_bytes()),
            ENCRYPTED => {
                let password = password.ok_or(KeyError::PasswordNeeded)?;
                let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
                    .map_err(|error| KeyError::NotPrivateKey(error.to_string()))?;
                let plain = encrypted.decrypt(password).map_err(|_| KeyError::WrongPassword)?;
                Self::from_pkcs8(plain.as_bytes())
            }
            other => Err(KeyError::WrongLabel {
                found: other.to_owned(),
                expected: "PRIVATE KEY or ENCRYPTED PRIVATE KEY (openssl pkcs8 -topk8 converts others)",
            }),
        }
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
        let refused = |error: &dyn fmt::Display| KeyError::Encrypt(error.to_string());
        let plain = self.scalar.to_pkcs8_der().map_err(|error| refused(&error))?;
        let Some(password) = password else {
            return plain
                .to_pem(PLAIN, LineEnding::LF)
                .map_err(|error| refused(&error));
        };
        let parameters = fresh_parameters()?;
        let ciphertext = parameters
            .encrypt(password, plain.as_bytes())
            .map_err(|error| refused(&error))?;
        let encrypted = EncryptedPrivateKeyInfoRef {
            encryption_algorithm: parameters.into(),
            encrypted_data: OctetStringRef::new(&ciphertext).map_err(|error| refused(&error))?,
        };
        SecretDocument::try_from(encrypted)
            .map_err(|error| refused(&error))?
            .to_pem(ENCRYPTED, LineEnding::LF)
            .map_err(|error| refused(&error))
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

fn fresh_parameters() -> Result<Parameters, KeyError> {
    let mut salt = [0; 16];
    let mut iv = [0; 16];
    getrandom::fill(&mut salt).map_err(KeyError::Random)?;
    getrandom::fill(&mut iv).map_err(KeyError::Random)?;
    let cost = scrypt::Params::new(SCRYPT_LOG_N, 8, 1).expect("2^14, 8 and 1 are parameters of scrypt");
    Parameters::generate_scrypt_aes256cbc(cost, &salt, iv)
        .map_err(|error| KeyError::Encrypt(error.to_string()))
}
