//! Private keys in PEM: PKCS#8, encrypted or not, whatever the algorithm inside.

use pkcs8::der::asn1::OctetStringRef;
use pkcs8::pkcs5::pbes2::Parameters;
use pkcs8::pkcs5::scrypt;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, SecretDocument};
use zeroize::Zeroizing;

use super::KeyError;

/// Cost of opening an encrypted key: scrypt with N = 2^14, r = 8, p = 1 takes 16 MiB. OpenSSL 3.0 refuses more than 32 MiB.
const SCRYPT_LOG_N: u8 = 14;

const PLAIN: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// PEM of a PKCS#8 document, encrypted with AES-256-CBC under scrypt when a password is given.
pub(crate) fn seal(plain: &SecretDocument, password: Option<&[u8]>) -> Result<Zeroizing<String>, KeyError> {
    let refused = |error: &dyn std::fmt::Display| KeyError::Encrypt(error.to_string());
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

/// The PKCS#8 document inside a PEM block. A password is used only when the block is encrypted.
pub(crate) fn open(pem: &str, password: Option<&[u8]>) -> Result<SecretDocument, KeyError> {
    let (label, document) =
        SecretDocument::from_pem(pem.trim()).map_err(|error| KeyError::NotPem(error.to_string()))?;
    match label {
        PLAIN => Ok(document),
        ENCRYPTED => {
            let password = password.ok_or(KeyError::PasswordNeeded)?;
            let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
                .map_err(|error| KeyError::NotPrivateKey(error.to_string()))?;
            encrypted.decrypt(password).map_err(|_| KeyError::WrongPassword)
        }
        other => Err(KeyError::WrongLabel {
            found: other.to_owned(),
            expected: "PRIVATE KEY or ENCRYPTED PRIVATE KEY (openssl pkcs8 -topk8 converts others)",
        }),
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
