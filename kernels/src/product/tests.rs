//! Products of every tile, on shapes around their blocks.

use half::{bf16, f16};

use super::*;

/// The shape of the AVX-512 tiles in plain Rust, so that packing and edges are tried everywhere.
static TALL: Tile = Tile {
    rows: 14,
    columns: 32,
    vectors: cfg!(target_arch = "x86_64"),
    multiply: |steps, a, b, c, stride, first| {
        for (row, column) in (0..14).flat_map(|row| (0..32).map(move |column| (row, column))) {
            // SAFETY: the contract of `Multiply`.
            unsafe {
                let c = c.add(row * stride + column);
                let start = if first { 0.0 } else { f32::from_bits(*c) };
                *c = (0..steps)
                    .map(|step| [*a.add(step * 14 + row), *b.add(step * 32 + column)].map(f32::from_bits))
                    .fold(start, |sum, [a, b]| sum + a * b)
                    .to_bits();
            }
        }
    },
};

const SHAPES: [[usize; 3]; 7] = [
    [1, 1, 1],
    [6, 16, 8],
    [14, 32, 24],
    [15, 33, 17],
    [29, 95, 41],
    [3, 7, 2 * STEPS + 9],
    [113, 67, STEPS + 1],
];

fn integers(count: usize, step: usize) -> impl Iterator<Item = i32> {
    (0..count).map(move |i| (i * step % 255) as i32 - 127)
}

fn plain(m: usize, n: usize, k: usize, a: &[i32], b: &[i32]) -> Vec<i32> {
    let cell = |i: usize, j: usize| (0..k).map(|step| a[i * k + step] * b[j * k + step]).sum();
    (0..m * n)
        .map(|cell_index| cell(cell_index / n, cell_index % n))
        .collect()
}

/// Every tile this processor runs, on small integers, whose sums are exact in any order and type.
#[test]
fn every_tile_multiplies_every_element_type_exactly() {
    for [m, n, k] in SHAPES {
        let (a, b): (Vec<i32>, Vec<i32>) = (integers(m * k, 7).collect(), integers(n * k, 11).collect());
        let want = plain(m, n, k, &a, &b);
        let shape = Shape { m, n, k };
        let mut c = vec![u32::MAX; m * n];
        let to_f32 = |values: &[i32]| values.iter().map(|&v| v as f32).collect::<Vec<f32>>();
        let to_f16 = |values: &[i32]| {
            values
                .iter()
                .map(|&v| f16::from_f32(v as f32))
                .collect::<Vec<f16>>()
        };
        let to_bf16 = |values: &[i32]| {
            values
                .iter()
                .map(|&v| bf16::from_f32(v as f32))
                .collect::<Vec<bf16>>()
        };
        let to_i8 = |values: &[i32]| values.iter().map(|&v| v as i8).collect::<Vec<i8>>();
        let floats = |c: &[u32]| {
            c.iter()
                .map(|&bits| f32::from_bits(bits) as i32)
                .collect::<Vec<i32>>()
        };
        for tile in [Tile::fused(), Tile::rounded(), Tile::portable_rounded(), &TALL] {
            product(shape, &to_f32(&a), &to_f32(&b), &mut c, tile);
            assert_eq!(floats(&c), want, "f32, {shape:?}, {} rows", tile.rows);
            product(shape, &to_f16(&a), &to_f16(&b), &mut c, tile);
            assert_eq!(floats(&c), want, "f16, {shape:?}, {} rows", tile.rows);
            product(shape, &to_bf16(&a), &to_bf16(&b), &mut c, tile);
            assert_eq!(floats(&c), want, "bf16, {shape:?}, {} rows", tile.rows);
        }
        for tile in [Tile::integer(), Tile::portable_integer()] {
            product(shape, &to_i8(&a), &to_i8(&b), &mut c, tile);
            let sums: Vec<i32> = c.iter().map(|bits| bits.cast_signed()).collect();
            assert_eq!(sums, want, "i8, {shape:?}, {} rows", tile.rows);
        }
    }
}

#[test]
fn one_thread_gives_the_bits_of_all() {
    for [m, n, k] in SHAPES {
        let [a, b] = [(m * k, 13), (n * k, 29)].map(|(count, step)| {
            integers(count, step)
                .map(|v| v as f32 / 97.0)
                .collect::<Vec<f32>>()
        });
        let [all, one] = [Threads::All, Threads::One].map(|threads| {
            let mut c = vec![u32::MAX; m * n];
            product_by(threads, Shape { m, n, k }, &a, &b, &mut c, Tile::rounded());
            c
        });
        assert_eq!(all, one, "{m} x {n} x {k}");
    }
}

#[test]
fn the_most_negative_bytes_do_not_saturate() {
    let k = 1000;
    for tile in [Tile::integer(), Tile::portable_integer()] {
        let mut c = [0];
        product(
            Shape { m: 1, n: 1, k },
            &vec![-128i8; k],
            &vec![-128i8; k],
            &mut c,
            tile,
        );
        assert_eq!(c[0], 128 * 128 * 1000);
    }
}

/// Blocks and threads must not change a rounded sum: k ascends whatever the shape of the tile.
#[test]
fn rounded_sums_have_the_same_bits_from_every_tile() {
    let (m, n, k) = (31, 45, 2 * STEPS + 77);
    let [a, b] = [(m * k, 13), (n * k, 29)].map(|(count, step)| {
        integers(count, step)
            .map(|v| v as f32 / 97.0)
            .collect::<Vec<f32>>()
    });
    let mut want = vec![0; m * n];
    product(Shape { m, n, k }, &a, &b, &mut want, Tile::portable_rounded());
    for tile in [Tile::rounded(), &TALL] {
        let mut c = vec![0; m * n];
        product(Shape { m, n, k }, &a, &b, &mut c, tile);
        assert_eq!(c, want, "{} rows", tile.rows);
    }
}
