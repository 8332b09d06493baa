//! `proof.mlp.i8`: lanes carried through many int8 layers with a mixing step between.
//!
//! Weights W_l (n x n i8) are the stream `proof.mlp.i8/w/<l>`, the state X_0 (m x n i8) the stream `proof.mlp.i8/x`, both
//! row-major. One step takes lane i with layer t mod L: `y[j] = sum over k of X[i][k] * W[j][k]` in i32, then
//! `X'[i][j]` is the top byte of `u32(y[j]) * 0x9E3779B1`. The commitment is the Merkle root over the m rows after T steps.
//! Lanes never mix: a checker recomputes the opened lanes alone.

mod batch;

use super::stream;
use crate::digest::Sha256;
use crate::merkle;

/// Odd, so multiplication permutes u32; 2^32 divided by the golden ratio.
const MIX: u32 = 0x9E37_79B1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// m: independent rows.
    pub lanes: u64,
    /// n: elements of a row.
    pub width: usize,
    /// L: weight matrices, used in turn.
    pub layers: usize,
    /// T.
    pub steps: u64,
}

/// Past this width a sum of products might not be exact in i32 (|y| < 2^24 up to 1024).
pub const MAX_WIDTH: usize = 1024;

/// Lanes are recomputed so many at a time: fewer cost as much.
pub const TILE: usize = batch::ROWS;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MlpError {
    #[error("a width of {width} is not between 1 and {MAX_WIDTH}")]
    Width { width: usize },
    #[error("at least one layer is needed")]
    NoLayers,
    #[error("lane {lane} is beyond the {lanes} lanes of the proof")]
    NoSuchLane { lane: u64, lanes: u64 },
}

/// The work of one proof: parameters and weights.
pub struct Mlp {
    params: Params,
    seed: [u8; 32],
    layers: Vec<batch::Layer>,
}

impl Mlp {
    pub fn new(seed: &[u8; 32], params: Params) -> Result<Self, MlpError> {
        if !(1..=MAX_WIDTH).contains(&params.width) {
            return Err(MlpError::Width { width: params.width });
        }
        if params.layers == 0 {
            return Err(MlpError::NoLayers);
        }
        let layer = |index: usize| {
            let name = format!("proof.mlp.i8/w/{index}");
            let weights = stream::i8s(seed, &name, 0, params.width * params.width);
            batch::Layer::new(params.width, &weights)
        };
        Ok(Self {
            params,
            seed: *seed,
            layers: (0..params.layers).map(layer).collect(),
        })
    }

    /// The final row of one lane.
    pub fn lane(&self, lane: u64) -> Result<Vec<i8>, MlpError> {
        self.lanes(&[lane]).map(|mut rows| rows.swap_remove(0))
    }

    /// The final rows of some lanes, in their order: what a checker recomputes, at 2 n^2 T operations a lane, in
    /// whole tiles.
    pub fn lanes(&self, lanes: &[u64]) -> Result<Vec<Vec<i8>>, MlpError> {
        let Params {
            lanes: count,
            width,
            steps,
            ..
        } = self.params;
        if let Some(&lane) = lanes.iter().find(|&&lane| lane >= count) {
            return Err(MlpError::NoSuchLane { lane, lanes: count });
        }
        let first = |&lane: &u64| stream::i8s(&self.seed, "proof.mlp.i8/x", lane * width as u64, width);
        let mut rows = batch::Rows::new(width, &lanes.iter().map(first).collect::<Vec<_>>());
        for step in 0..steps {
            rows.step(&self.layers[(step % self.params.layers as u64) as usize]);
        }
        Ok(rows.into_rows(lanes.len(), width))
    }

    /// The final state, m x n.
    pub fn state(&self) -> Result<Vec<i8>, MlpError> {
        let all: Vec<u64> = (0..self.params.lanes).collect();
        Ok(self.lanes(&all)?.concat())
    }
}

fn mix(sum: i32) -> i16 {
    let product = sum.cast_unsigned().wrapping_mul(MIX);
    i16::from(((product >> 24) as u8).cast_signed())
}

/// The commitment to a state: the Merkle root over its rows of `width` bytes.
pub fn root(state: &[i8], width: usize) -> Sha256 {
    let leaves: Vec<_> = state
        .chunks_exact(width)
        .map(|row| {
            let row: Vec<u8> = row.iter().map(|value| value.cast_unsigned()).collect();
            merkle::leaf_hash(&row)
        })
        .collect();
    merkle::root(&leaves)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Params = Params {
        lanes: 5,
        width: 24,
        layers: 2,
        steps: 3,
    };

    #[test]
    fn the_state_is_its_lanes_in_order() {
        let mlp = Mlp::new(&[7; 32], SMALL).expect("sound parameters");
        let state = mlp.state().expect("all lanes");
        assert_eq!(state.len(), 5 * 24);
        assert_eq!(state[3 * 24..4 * 24], mlp.lane(3).expect("a lane"));
    }

    #[test]
    fn no_step_leaves_the_stream_and_the_lane_past_the_last_is_refused() {
        let idle = Params { steps: 0, ..SMALL };
        let mlp = Mlp::new(&[7; 32], idle).expect("sound parameters");
        assert_eq!(
            mlp.state(),
            Ok(stream::i8s(&[7; 32], "proof.mlp.i8/x", 0, 5 * 24))
        );
        assert_eq!(mlp.lane(5), Err(MlpError::NoSuchLane { lane: 5, lanes: 5 }));
        let wide = Params { width: 1025, ..SMALL };
        assert_eq!(
            Mlp::new(&[7; 32], wide).err(),
            Some(MlpError::Width { width: 1025 })
        );
    }

    #[test]
    fn the_widest_sum_stays_exact() {
        let extremes = vec![-128i8; MAX_WIDTH * MAX_WIDTH];
        let mut rows = batch::Rows::new(MAX_WIDTH, &[vec![-128; MAX_WIDTH]]);
        rows.step(&batch::Layer::new(MAX_WIDTH, &extremes));
        let want = mix(1 << 24) as i8;
        assert_eq!(rows.into_rows(1, MAX_WIDTH), [vec![want; MAX_WIDTH]]);
    }
}
