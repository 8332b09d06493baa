//! What a task asks of a device, and what checking it costs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::exact::mlp::{self, Mlp};
use crate::exact::vram::{self, Vram};
use crate::spec::Dims;

/// Lanes opened of each task: a tenth of wrong lanes is missed once in a thousand times.
pub const OPENED_LANES: u64 = 66;

/// Operations of checking one `proof.mlp.i8` task: 17 s of one core at 60 G operations/s ([`crate::proof`]).
pub const MAX_CHECK_OPERATIONS: u64 = 1_000_000_000_000;

/// SHA-256 compressions of checking one `proof.vram` task: 13 s of one quiet core, at 15.9 M compressions/s.
pub const MAX_CHECK_COMPRESSIONS: u64 = 200_000_000;

/// Random reads for each entry of a table. A prover without the table makes the entries that it reads: as many compressions
/// for a read as for filling in an entry once. So many reads make half a table dearer by an order of magnitude, where with
/// one read an entry no table would be missed at all.
pub const READS_OF_AN_ENTRY: u64 = 64;

/// Merkle paths are as long as the number of lanes has bits.
const MAX_LANES: u64 = 1 << 32;

/// Rounds of an entry of the table: fewer would make recomputing it cheap beside keeping it.
const VRAM_ROUNDS: u32 = 16;

/// One proof and its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "workload", rename_all_fields = "camelCase")]
pub enum Work {
    #[serde(rename = "proof.mlp.i8.v1")]
    Mlp {
        lanes: u64,
        width: u64,
        layers: u64,
        steps: u64,
    },
    #[serde(rename = "proof.vram.v1")]
    Vram {
        entries: u64,
        lanes: u64,
        steps: u64,
        rounds: u32,
    },
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    #[error("{what} is {value}; it must be {allowed}")]
    Parameter {
        what: &'static str,
        value: u64,
        allowed: &'static str,
    },
    #[error(
        "checking {OPENED_LANES} lanes takes {cost} {unit}; at most {limit} are checked: take more lanes and fewer steps"
    )]
    Dear {
        cost: u64,
        unit: &'static str,
        limit: u64,
    },
    #[error(
        "{reads} reads of {entries} entries show no table: at least {READS_OF_AN_ENTRY} for each entry are needed; take a smaller \
         table, more lanes or more steps"
    )]
    Few { reads: u64, entries: u64 },
    #[error("the work counts past 2^63 operations or bytes")]
    Overflow,
}

impl Work {
    /// Id of the workload.
    pub fn workload(&self) -> &'static str {
        match self {
            Self::Mlp { .. } => "proof.mlp.i8.v1",
            Self::Vram { .. } => "proof.vram.v1",
        }
    }

    pub fn lanes(&self) -> u64 {
        match *self {
            Self::Mlp { lanes, .. } | Self::Vram { lanes, .. } => lanes,
        }
    }

    /// Lanes that are opened: [`OPENED_LANES`], or all of fewer.
    pub fn opened(&self) -> u64 {
        self.lanes().min(OPENED_LANES)
    }

    /// Bytes of a lane's final state.
    pub fn lane_bytes(&self) -> u64 {
        match *self {
            Self::Mlp { width, .. } => width,
            Self::Vram { .. } => 32,
        }
    }

    /// Integer operations of `proof.mlp.i8` (multiply and add count as two: 2 m n^2 T); random 32-byte reads of
    /// `proof.vram` (m T).
    ///
    /// # Panics
    /// If the work was not [checked](Self::check).
    pub fn units(&self) -> u64 {
        self.counted_units().expect("the work was checked")
    }

    /// Bytes that are proven to be resident: the table of `proof.vram`. The lanes of either can be done one after another, so
    /// `proof.mlp.i8` shows none.
    pub fn resident_bytes(&self) -> u64 {
        match *self {
            Self::Mlp { .. } => 0,
            Self::Vram { entries, .. } => 32 * entries,
        }
    }

    /// The case's dimensions as the workload's specification names them, without those that follow from others.
    pub fn dims(&self) -> Dims {
        let named: &[(&str, u64)] = match *self {
            Self::Mlp {
                lanes,
                width,
                layers,
                steps,
            } => &[("m", lanes), ("n", width), ("layers", layers), ("steps", steps)],
            Self::Vram {
                entries,
                lanes,
                steps,
                rounds,
            } => &[
                ("entries", entries),
                ("m", lanes),
                ("steps", steps),
                ("rounds", rounds.into()),
            ],
        };
        named
            .iter()
            .map(|&(name, size)| (name.to_owned(), size))
            .collect()
    }

    /// Whether the parameters are sound, show what they should, and checking the opened lanes stays within its limits.
    pub fn check(&self) -> Result<(), WorkError> {
        self.check_bounds()?;
        match *self {
            Self::Vram { entries, .. } if self.units() / entries < READS_OF_AN_ENTRY => Err(WorkError::Few {
                reads: self.units(),
                entries,
            }),
            _ => Ok(()),
        }
    }

    /// [`Self::check`] without the least number of reads: what a trial run may be.
    pub fn check_bounds(&self) -> Result<(), WorkError> {
        between("lanes", self.lanes(), 1, MAX_LANES, "between 1 and 2^32")?;
        match *self {
            Self::Mlp {
                width, layers, steps, ..
            } => {
                let whole = width.is_multiple_of(64) && (64..=mlp::MAX_WIDTH as u64).contains(&width);
                allowed(whole, "width", width, "a multiple of 64 up to 1024")?;
                between("layers", layers, 1, 16, "between 1 and 16")?;
                between("steps", steps, 1, 1 << 32, "between 1 and 2^32")?;
            }
            Self::Vram {
                entries,
                steps,
                rounds,
                ..
            } => {
                let whole = entries.is_power_of_two() && entries <= 1 << 32;
                allowed(whole, "entries", entries, "a power of two up to 2^32")?;
                between("steps", steps, 1, 1 << 32, "between 1 and 2^32")?;
                allowed(rounds == VRAM_ROUNDS, "rounds", rounds.into(), "16")?;
            }
        }
        self.affordable()?;
        self.counted_units().ok_or(WorkError::Overflow).map(drop)
    }

    fn affordable(&self) -> Result<(), WorkError> {
        let (cost, unit, limit) = match self {
            Self::Mlp { .. } => (self.check_cost(), "operations", MAX_CHECK_OPERATIONS),
            Self::Vram { .. } => (self.check_cost(), "compressions", MAX_CHECK_COMPRESSIONS),
        };
        let cost = cost.ok_or(WorkError::Overflow)?;
        if cost > limit {
            return Err(WorkError::Dear { cost, unit, limit });
        }
        Ok(())
    }

    /// Operations (`proof.mlp.i8`, in whole tiles of lanes) or SHA-256 compressions (`proof.vram`) of recomputing the opened
    /// lanes.
    pub fn check_cost(&self) -> Option<u64> {
        let opened = self.opened();
        match *self {
            Self::Mlp { width, steps, .. } => {
                let computed = opened.next_multiple_of(mlp::TILE as u64);
                product(&[2, computed, width, width, steps])
            }
            Self::Vram { steps, rounds, .. } => product(&[opened, steps, rounds.into()]),
        }
    }

    fn counted_units(&self) -> Option<u64> {
        let units = match *self {
            Self::Mlp {
                lanes, width, steps, ..
            } => product(&[2, lanes, width, width, steps]),
            Self::Vram { lanes, steps, .. } => product(&[lanes, steps]),
        };
        units.filter(|&units| units < 1 << 63)
    }

    /// Final states of `lanes`, recomputed from the task's seed.
    ///
    /// # Errors
    /// Parameters that [`Self::check`] refuses, in words.
    pub fn recompute(&self, seed: &Sha256, lanes: &[u64]) -> Result<Vec<Vec<u8>>, String> {
        match *self {
            Self::Mlp {
                lanes: count,
                width,
                layers,
                steps,
            } => {
                let params = mlp::Params {
                    lanes: count,
                    width: width as usize,
                    layers: layers as usize,
                    steps,
                };
                let work = Mlp::new(&seed.0, params).map_err(|error| error.to_string())?;
                let bytes = |row: Vec<i8>| row.into_iter().map(i8::cast_unsigned).collect();
                let rows = work.lanes(lanes).map_err(|error| error.to_string())?;
                Ok(rows.into_iter().map(bytes).collect())
            }
            Self::Vram {
                entries,
                lanes: count,
                steps,
                rounds,
            } => {
                let params = vram::Params {
                    entries,
                    lanes: count,
                    steps,
                    rounds,
                };
                let work = Vram::new(&seed.0, params).map_err(|error| error.to_string())?;
                let states = lanes.iter().map(|&lane| work.lane(lane).map(Vec::from));
                states
                    .collect::<Result<_, _>>()
                    .map_err(|error| error.to_string())
            }
        }
    }
}

fn product(factors: &[u64]) -> Option<u64> {
    factors
        .iter()
        .try_fold(1u64, |product, &factor| product.checked_mul(factor))
}

fn between(what: &'static str, value: u64, low: u64, high: u64, text: &'static str) -> Result<(), WorkError> {
    allowed((low..=high).contains(&value), what, value, text)
}

fn allowed(holds: bool, what: &'static str, value: u64, allowed: &'static str) -> Result<(), WorkError> {
    match holds {
        true => Ok(()),
        false => Err(WorkError::Parameter { what, value, allowed }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::{MAX_OPENINGS_BYTES, Opening, OpeningsBody};

    /// The table in the module's head, line by line.
    #[test]
    fn the_table_of_costs_is_what_the_work_counts() {
        for (log, steps, kib, seconds) in [
            (20, 36_380, 132, 21.0),
            (23, 4547, 145, 2.6),
            (26, 568, 158, 0.33),
        ] {
            let work = Work::Mlp {
                lanes: 1 << log,
                width: 512,
                layers: 8,
                steps,
            };
            assert!((work.units() as f64 / 2e16 - 1.0).abs() < 0.01, "2^{log} lanes");
            let cost = work.check_cost().expect("no overflow") as f64 / 60e9;
            assert!((cost / seconds - 1.0).abs() < 0.03, "{cost}");
            let opening = Opening {
                lane: (1 << log) - 1,
                state: vec![0; 512],
                path: vec![Sha256([0; 32]); log],
            };
            let body = OpeningsBody {
                tasks: vec![vec![opening; 66]],
            };
            let bytes = serde_json::to_vec(&body).expect("JSON").len();
            assert!(bytes < MAX_OPENINGS_BYTES);
            assert_eq!(bytes / 1024, kib, "2^{log} lanes");
        }
    }

    #[test]
    fn a_lane_alone_costs_as_much_as_a_whole_tile() {
        let work = |lanes, steps| Work::Mlp {
            lanes,
            width: 1024,
            layers: 1,
            steps,
        };
        assert_eq!(work(1, 9).check_cost(), work(6, 9).check_cost());
        assert_eq!(work(7, 9).check_cost(), work(12, 9).check_cost());
        assert_eq!(work(1 << 20, 9).check_cost(), Some(2 * 66 * 1024 * 1024 * 9));
        // 10^12 operations over 2 * 6 * 2^20 for a step.
        assert_eq!(work(1, 79_472).check(), Ok(()));
        assert!(matches!(work(1, 79_473).check(), Err(WorkError::Dear { .. })));
    }

    #[test]
    fn a_check_costs_less_than_a_thousandth_of_a_million_lanes() {
        let work = Work::Mlp {
            lanes: 1 << 20,
            width: 512,
            layers: 8,
            steps: 64,
        };
        assert!(work.check_cost().expect("no overflow") * 1000 < work.units());
    }
}
