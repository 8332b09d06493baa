//! `proof.vram`: random walks over a table that fills the memory and is far dearer to recompute than to read.
//!
//! With `entry key = SHA-256("hallmark.vram.entry.v1\0" || seed)` and `lane key = SHA-256("hallmark.vram.lane.v1\0" || seed)`,
//! entry j is SHA-256 applied r times: first to entry key and j (8 bytes, little-endian), then to the 32 bytes before.
//! Lane i starts at SHA-256(lane key and i) as eight little-endian words s. Each of T steps reads entry `s[0] AND (E-1)` as
//! words e, takes `u[w] = (s[w] XOR e[w]) * 0x9E3779B1` and `s[w] = u[w] + rotate_left(u[(w+1) mod 8], 13)`, modulo 2^32. The
//! commitment is the Merkle root over the m final states of 32 bytes.

use crate::digest::Sha256;
use crate::merkle;

const MIX: u32 = 0x9E37_79B1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// E: a power of two, at most 2^32.
    pub entries: u64,
    /// m
    pub lanes: u64,
    /// T
    pub steps: u64,
    /// r
    pub rounds: u32,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum VramError {
    #[error("{entries} entries are no power of two up to 2^32")]
    Entries { entries: u64 },
    #[error("an entry of no rounds has no value")]
    NoRounds,
    #[error("lane {lane} is beyond the {lanes} lanes of the proof")]
    NoSuchLane { lane: u64, lanes: u64 },
}

/// The keys of a seed: that of the entries and that of the lanes.
pub fn keys(seed: &[u8; 32]) -> [Sha256; 2] {
    [
        Sha256::of_parts(&[b"hallmark.vram.entry.v1\0", seed]),
        Sha256::of_parts(&[b"hallmark.vram.lane.v1\0", seed]),
    ]
}

/// The work of one proof.
pub struct Vram {
    params: Params,
    entry_key: Sha256,
    lane_key: Sha256,
}

impl Vram {
    pub fn new(seed: &[u8; 32], params: Params) -> Result<Self, VramError> {
        let [entry_key, lane_key] = keys(seed);
        Self::with_keys(entry_key, lane_key, params)
    }

    pub fn with_keys(entry_key: Sha256, lane_key: Sha256, params: Params) -> Result<Self, VramError> {
        let entries = params.entries;
        if !entries.is_power_of_two() || entries > 1 << 32 {
            return Err(VramError::Entries { entries });
        }
        if params.rounds == 0 {
            return Err(VramError::NoRounds);
        }
        Ok(Self {
            params,
            entry_key,
            lane_key,
        })
    }

    /// Entry `index` of the table.
    pub fn entry(&self, index: u64) -> [u8; 32] {
        let first = Sha256::of_parts(&[&self.entry_key.0, &index.to_le_bytes()]);
        (1..self.params.rounds)
            .fold(first, |entry, _| Sha256::of(&entry.0))
            .0
    }

    /// The final state of one lane, recomputing the entries it reads: T * r compressions.
    pub fn lane(&self, lane: u64) -> Result<[u8; 32], VramError> {
        let Params {
            entries,
            lanes,
            steps,
            ..
        } = self.params;
        if lane >= lanes {
            return Err(VramError::NoSuchLane { lane, lanes });
        }
        let mut state = words(Sha256::of_parts(&[&self.lane_key.0, &lane.to_le_bytes()]).0);
        for _ in 0..steps {
            let entry = words(self.entry(u64::from(state[0]) & (entries - 1)));
            let mixed: [u32; 8] = std::array::from_fn(|w| (state[w] ^ entry[w]).wrapping_mul(MIX));
            state = std::array::from_fn(|w| mixed[w].wrapping_add(mixed[(w + 1) % 8].rotate_left(13)));
        }
        Ok(bytes(state))
    }

    /// The final states, 32 bytes each.
    pub fn state(&self) -> Result<Vec<[u8; 32]>, VramError> {
        (0..self.params.lanes).map(|lane| self.lane(lane)).collect()
    }
}

/// The commitment to the final states.
pub fn root(states: &[[u8; 32]]) -> Sha256 {
    let leaves: Vec<_> = states.iter().map(|state| merkle::leaf_hash(state)).collect();
    merkle::root(&leaves)
}

fn words(bytes: [u8; 32]) -> [u32; 8] {
    let (words, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|w| u32::from_le_bytes(words[w]))
}

fn bytes(words: [u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    let (chunks, _) = bytes.as_chunks_mut::<4>();
    for (chunk, word) in chunks.iter_mut().zip(words) {
        *chunk = word.to_le_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubtful_parameters_are_refused() {
        let sound = Params {
            entries: 16,
            lanes: 2,
            steps: 1,
            rounds: 1,
        };
        let refusal = |params| Vram::new(&[0; 32], params).err();
        for entries in [0, 3, 1 << 33] {
            assert_eq!(
                refusal(Params { entries, ..sound }),
                Some(VramError::Entries { entries })
            );
        }
        assert_eq!(refusal(Params { rounds: 0, ..sound }), Some(VramError::NoRounds));
        assert!(
            refusal(Params {
                entries: 1 << 32,
                ..sound
            })
            .is_none()
        );
        let vram = Vram::new(&[0; 32], sound).expect("sound parameters");
        assert_eq!(vram.lane(2), Err(VramError::NoSuchLane { lane: 2, lanes: 2 }));
    }

    #[test]
    fn an_entry_of_two_rounds_is_the_digest_of_one_of_one() {
        let entry = |rounds| {
            let params = Params {
                entries: 16,
                lanes: 1,
                steps: 1,
                rounds,
            };
            Vram::new(&[9; 32], params).expect("sound parameters").entry(5)
        };
        assert_eq!(entry(2), Sha256::of(&entry(1)).0);
    }
}
