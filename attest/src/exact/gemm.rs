//! `gemm.f32.exact`: a product of f32 matrices whose every rounding is fixed.
//!
//! A is m x k, B is n x k, both row-major. C\[i\]\[j\] starts at +0 and takes k = 0, 1, ... in ascending order: the product
//! A\[i\]\[k\] * B\[j\]\[k\] is rounded to nearest, ties to even, then the sum is. No fused multiply-add, no other order,
//! subnormals kept.

/// Stream names of A and B.
pub const STREAMS: [&str; 2] = ["gemm.f32.exact/a", "gemm.f32.exact/b"];

/// Columns whose sums run side by side; each keeps its own order.
const COLUMNS: usize = 16;

/// C, row-major, m x n.
///
/// # Panics
/// When `a` is not m x k or `b` is not n x k.
pub fn gemm_f32_exact(a: &[f32], b: &[f32], m: usize, n: usize, k: usize) -> Vec<f32> {
    assert_eq!((a.len(), b.len()), (m * k, n * k), "A is m x k and B is n x k");
    let mut c = vec![0.0; m * n];
    let mut panel = vec![[0.0; COLUMNS]; k];
    for first in (0..n).step_by(COLUMNS) {
        let width = COLUMNS.min(n - first);
        for column in 0..width {
            let row = &b[(first + column) * k..][..k];
            for (slot, &value) in panel.iter_mut().zip(row) {
                slot[column] = value;
            }
        }
        for i in 0..m {
            let sums = columns(&a[i * k..][..k], &panel);
            c[i * n + first..][..width].copy_from_slice(&sums[..width]);
        }
    }
    c
}

fn columns(row: &[f32], panel: &[[f32; COLUMNS]]) -> [f32; COLUMNS] {
    let mut sums = [0.0; COLUMNS];
    for (&a, b) in row.iter().zip(panel) {
        for (sum, &b) in sums.iter_mut().zip(b) {
            *sum += a * b;
        }
    }
    sums
}

/// One element of C, from its row of A and its row of B.
pub fn element(a_row: &[f32], b_row: &[f32]) -> f32 {
    a_row.iter().zip(b_row).fold(0.0, |sum, (&a, &b)| sum + a * b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::{PUBLIC_SEED, stream};

    #[test]
    fn each_element_is_the_ordered_sum_of_rounded_products() {
        let (m, n, k) = (3, 2 * COLUMNS + 5, 41);
        let a = stream::f32s(&PUBLIC_SEED, STREAMS[0], m * k);
        let b = stream::f32s(&PUBLIC_SEED, STREAMS[1], n * k);
        let c = gemm_f32_exact(&a, &b, m, n, k);
        for i in 0..m {
            for j in 0..n {
                let want = element(&a[i * k..][..k], &b[j * k..][..k]);
                assert_eq!(c[i * n + j].to_bits(), want.to_bits(), "C[{i}][{j}]");
            }
        }
    }

    #[test]
    fn nothing_is_fused_and_subnormals_stay() {
        // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24: rounded before the sum, the last bit is gone.
        let x = 1.0 + 2f32.powi(-12);
        let rounded = 1.0 + 2f32.powi(-11);
        assert_eq!(gemm_f32_exact(&[-rounded, x], &[1.0, x], 1, 1, 2), [0.0]);
        let tiny = f32::from_bits(1);
        assert_eq!(gemm_f32_exact(&[tiny], &[1.0], 1, 1, 1)[0].to_bits(), 1);
    }
}
