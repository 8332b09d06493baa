//! Signature checks at the rate a log needs: aws-lc, five times as fast as the portable implementation in `attest`.

use attest::digest::Sha256;
use attest::key::{PublicKey, SignatureCheck};
use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

/// ECDSA P-256 over SHA-256 with DER signatures, checked by aws-lc.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLc;

impl SignatureCheck for AwsLc {
    fn check(&self, key: &PublicKey, digest: &Sha256, der: &[u8]) -> bool {
        Digest::import_less_safe(&digest.0, &SHA256)
            .and_then(|digest| {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.point()).verify_digest(&digest, der)
            })
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use attest::key::{P256, SigningKey};

    use super::*;

    /// Order of the P-256 group, big-endian (SEC 2, section 2.4.2).
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];

    /// r and s of a DER signature, each 32 bytes.
    fn numbers(der: &[u8]) -> [[u8; 32]; 2] {
        let mut at = 2;
        [(); 2].map(|()| {
            let length = usize::from(der[at + 1]);
            let value = &der[at + 2..at + 2 + length];
            at += 2 + length;
            let value = value.strip_prefix(&[0]).unwrap_or(value);
            let mut number = [0; 32];
            number[32 - value.len()..].copy_from_slice(value);
            number
        })
    }

    fn der([r, s]: [[u8; 32]; 2]) -> Vec<u8> {
        let body: Vec<u8> = [r, s]
            .iter()
            .flat_map(|number| {
                let start = number.iter().position(|byte| *byte != 0).unwrap_or(31);
                let sign = number[start] >= 0x80;
                let value = [&[0][..usize::from(sign)], &number[start..]].concat();
                [&[2, value.len() as u8][..], &value].concat()
            })
            .collect();
        [&[0x30, body.len() as u8][..], &body].concat()
    }

    /// The other signature of the same message: (r, n - s).
    fn mirrored(signature: &[u8]) -> Vec<u8> {
        let [r, s] = numbers(signature);
        let mut borrow = 0;
        let mut other = [0; 32];
        for at in (0..32).rev() {
            let difference = i16::from(ORDER[at]) - i16::from(s[at]) - borrow;
            borrow = i16::from(difference < 0);
            other[at] = difference.rem_euclid(256) as u8;
        }
        der([r, other])
    }

    #[test]
    fn both_implementations_accept_and_refuse_the_same_signatures() {
        let key = SigningKey::generate().expect("a key");
        let stranger = SigningKey::generate().expect("a key");
        let mut accepted = 0;
        for at in 0..64u8 {
            let digest = Sha256::of(&[at]);
            let good = key.sign_digest(&digest);
            let high = mirrored(&good);
            assert_ne!(good, high);
            let [r, s] = numbers(&good);
            let mut cases = vec![
                good.clone(),
                high,
                Vec::new(),
                good[..good.len() - 1].to_vec(),
                [&good[..], &[0]].concat(),
                [r, s].concat(),
                der([s, r]),
                der([[0; 32], s]),
                der([r, [0; 32]]),
                der([ORDER, s]),
                der([r, ORDER]),
            ];
            let flipped = (0..good.len()).map(|byte| {
                let mut flipped = good.clone();
                flipped[byte] ^= 1 << (at % 8);
                flipped
            });
            cases.extend(flipped);
            for (number, case) in cases.iter().enumerate() {
                for public in [key.public(), stranger.public()] {
                    let by_aws = AwsLc.check(public, &digest, case);
                    assert_eq!(
                        by_aws,
                        P256.check(public, &digest, case),
                        "message {at}, case {number}"
                    );
                    accepted += usize::from(by_aws);
                }
            }
        }
        assert_eq!(
            accepted, 128,
            "each signature and its mirror, under its own key alone"
        );
    }
}
