//! What the reference wants of a launch.

use std::borrow::Cow;

use attest::spec::Dims;

use super::rows::Rows;
use crate::workload::{Reference, Row, Workload};

/// Outputs of the reference for some inputs, whole or row by row.
pub(super) enum Wanted<'a> {
    Rows(Box<dyn Fn(Row) -> Vec<f64> + Sync + 'a>),
    Whole(Vec<Vec<f64>>),
}

impl<'a> Wanted<'a> {
    pub(super) fn of(workload: &Workload, dims: &'a Dims, inputs: &'a [&[u8]]) -> Self {
        match workload.reference {
            Reference::Rows(of) => Self::Rows(Box::new(move |row| of(dims, inputs, row))),
            Reference::Whole(of) => Self::Whole(of(dims, inputs)),
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// One row of an output that is cut into `rows`.
    pub(super) fn row(&self, rows: Rows, row: Row) -> Cow<'_, [f64]> {
        let elements = rows.elements(row.index);
        let values: Cow<[f64]> = match self {
            Self::Rows(of) => of(row).into(),
            Self::Whole(outputs) => outputs[row.output][elements.clone()].into(),
        };
        assert_eq!(values.len(), elements.len(), "a reference gives whole rows");
        values
    }
}
