//! Matrices of f64.

use rayon::prelude::*;

use crate::wide::wide;

/// A row-major matrix.
#[derive(Clone)]
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) cells: Vec<f64>,
}

impl Matrix {
    pub(crate) fn new(rows: usize, cells: Vec<f64>) -> Self {
        Self {
            rows,
            cols: cells.len() / rows,
            cells,
        }
    }

    pub(crate) fn zeros(rows: usize, cols: usize) -> Self {
        Self::new(rows, vec![0.0; rows * cols])
    }

    pub(crate) fn transposed(&self) -> Self {
        let cells =
            (0..self.cols).flat_map(|col| (0..self.rows).map(move |row| self.cells[row * self.cols + col]));
        Self::new(self.cols, cells.collect())
    }

    pub(crate) fn columns(&self, first: usize, count: usize) -> Self {
        let rows = self.cells.chunks(self.cols);
        let cells = rows.flat_map(|row| row[first..first + count].iter().copied());
        Self::new(self.rows, cells.collect())
    }

    pub(crate) fn add_columns(&mut self, first: usize, more: &Self) {
        for (row, more) in self.cells.chunks_mut(self.cols).zip(more.cells.chunks(more.cols)) {
            for (cell, more) in row[first..].iter_mut().zip(more) {
                *cell += more;
            }
        }
    }

    pub(crate) fn by_rows(&self, f: impl FnMut(&[f64]) -> Vec<f64>) -> Self {
        Self::new(self.rows, self.cells.chunks(self.cols).flat_map(f).collect())
    }

    pub(crate) fn with(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let pairs = self.cells.iter().zip(&other.cells);
        Self::new(self.rows, pairs.map(|(a, b)| f(*a, *b)).collect())
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        self.with(other, |a, b| a + b)
    }

    pub(crate) fn times(&self, other: &Self) -> Self {
        let mut result = Self::zeros(self.rows, other.cols);
        let rows = self
            .rows
            .div_ceil(rayon::current_num_threads())
            .next_multiple_of(4);
        let strips = self.cells.par_chunks(rows * self.cols);
        strips
            .zip(result.cells.par_chunks_mut(rows * other.cols))
            .for_each(|(a, c)| multiply(a, &other.cells, c, self.cols, other.cols));
        result
    }
}

/// C += A B, four rows and a stretch of columns at a time.
fn multiply(a: &[f64], b: &[f64], c: &mut [f64], k: usize, n: usize) {
    const COLUMNS: usize = 512;
    for start in (0..n).step_by(COLUMNS) {
        let columns = start..n.min(start + COLUMNS);
        for (a, c) in a.chunks(4 * k).zip(c.chunks_mut(4 * n)) {
            for step in 0..k {
                let b = &b[step * n..][columns.clone()];
                for (a, c) in a.chunks(k).zip(c.chunks_mut(n)) {
                    add_row(&mut c[columns.clone()], a[step], b);
                }
            }
        }
    }
}

wide! {
    fn add_row(c: &mut [f64], a: f64, b: &[f64]) {
        for (c, b) in c.iter_mut().zip(b) {
            *c += a * b;
        }
    }
}
