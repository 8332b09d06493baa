//! Everything that is drawn: seeds from the nonce, samples from the registry's secret and the commitments.
//!
//! ```text
//! seed(session)   = SHA-256(nonce || key id || attempt id)
//! seed(task i)    = SHA-256("hallmark.proof.task.v1\0" || seed(session) || le64(i))
//! seed(run)       = SHA-256("hallmark.proof.run.v1\0" || seed(session))
//! commitment      = SHA-256("hallmark.proof.secret.v1\0" || secret)
//! token           = SHA-256("hallmark.proof.token.v1\0" || secret || attempt id)
//! draws(task i)   = SHA-256("hallmark.proof.samples.v1\0" || secret || attempt id || root 0 || root 1 || ... || le64(i))
//! draw c          = first 8 bytes, little-endian, of SHA-256(draws(task i) || le64(c))
//! ```
//!
//! A draw at or past the largest multiple of m is passed over, the others give lane `draw mod m`; lanes drawn before are
//! passed over too, until enough are drawn. Samples are in ascending order.

use std::collections::BTreeSet;

use crate::digest::Sha256;

/// Seed of the whole session.
pub fn session(nonce: &Sha256, key_id: &Sha256, attempt: &Sha256) -> Sha256 {
    Sha256::of_parts(&[&nonce.0, &key_id.0, &attempt.0])
}

/// Seed of one task's work.
pub fn task(session: &Sha256, task: usize) -> Sha256 {
    Sha256::of_parts(&[
        b"hallmark.proof.task.v1\0",
        &session.0,
        &(task as u64).to_le_bytes(),
    ])
}

/// Seed of a challenged run's inputs.
pub fn run(session: &Sha256) -> Sha256 {
    Sha256::of_parts(&[b"hallmark.proof.run.v1\0", &session.0])
}

/// What binds the registry to its sampling secret.
pub fn commitment(secret: &Sha256) -> Sha256 {
    Sha256::of_parts(&[b"hallmark.proof.secret.v1\0", &secret.0])
}

/// What the holder of a session shows with each step. It is told with the attempt and known to nobody else before the secret is.
pub fn token(secret: &Sha256, attempt: &Sha256) -> Sha256 {
    Sha256::of_parts(&[b"hallmark.proof.token.v1\0", &secret.0, &attempt.0])
}

/// The `count` lanes of `lanes` that task `task` opens, ascending.
pub fn samples(
    secret: &Sha256,
    attempt: &Sha256,
    roots: &[Sha256],
    task: usize,
    lanes: u64,
    count: u64,
) -> Vec<u64> {
    let index = (task as u64).to_le_bytes();
    let mut parts: Vec<&[u8]> = vec![b"hallmark.proof.samples.v1\0", &secret.0, &attempt.0];
    parts.extend(roots.iter().map(|root| &root.0[..]));
    parts.push(&index);
    let draws = Sha256::of_parts(&parts);
    let fair = u64::MAX - u64::MAX % lanes.max(1);
    let mut drawn = BTreeSet::new();
    let mut counter = 0u64;
    while (drawn.len() as u64) < count.min(lanes) {
        let draw = Sha256::of_parts(&[&draws.0, &counter.to_le_bytes()]);
        let (first, _) = draw.0.split_first_chunk::<8>().expect("32 bytes");
        let draw = u64::from_le_bytes(*first);
        if draw < fair {
            drawn.insert(draw % lanes);
        }
        counter += 1;
    }
    drawn.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_distinct_ascending_and_all_lanes_where_few() {
        let [secret, attempt] = [Sha256::of(b"secret"), Sha256::of(b"attempt")];
        let roots = [Sha256::of(b"root")];
        let drawn = samples(&secret, &attempt, &roots, 0, 1 << 20, 66);
        assert_eq!(drawn.len(), 66);
        assert!(drawn.is_sorted() && drawn.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(
            samples(&secret, &attempt, &roots, 0, 5, 66),
            (0..5).collect::<Vec<_>>()
        );
        assert_ne!(drawn, samples(&secret, &attempt, &roots, 1, 1 << 20, 66));
        assert_ne!(
            drawn,
            samples(&secret, &attempt, &[Sha256::of(b"other")], 0, 1 << 20, 66)
        );
    }

    /// Each lane is drawn as often as any other: chi-squared over 64 lanes, 63 degrees of freedom, one in a million.
    #[test]
    fn samples_are_even() {
        let mut counts = [0u32; 64];
        let attempt = Sha256::of(b"attempt");
        for trial in 0u64..2000 {
            let secret = Sha256::of(&trial.to_le_bytes());
            for lane in samples(&secret, &attempt, &[], 0, 64, 8) {
                counts[lane as usize] += 1;
            }
        }
        let mean = 2000.0 * 8.0 / 64.0;
        let chi: f64 = counts
            .iter()
            .map(|&count| (f64::from(count) - mean).powi(2) / mean)
            .sum();
        assert!(chi < 125.0, "{chi}");
    }
}
