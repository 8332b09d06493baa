//! Random streams: Philox4x32-10 (Salmon et al., SC'11), keyed by seed and tensor name, read as small dyadic numbers.
//!
//! `key = SHA-256("hallmark.tensor.v1\0" || seed || name)`, its first 8 bytes as two little-endian words. Block b = 0, 1,
//! 2, ... is Philox of the counter (low word of b, high word of b, 0, 0): four words, 16 bytes little-endian. Element e
//! of a tensor takes the next bits of the stream, by its [`Form`].

use crate::digest::Sha256;
use crate::spec::Dtype;

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: u32 = 10;

const BLOCK_BYTES: usize = 16;

/// Blocks made at once, so that the compiler can use vector registers.
const LANES: usize = 16;

/// How stream bits become numbers. Every form turns 16 bytes of the stream into 16 bytes of tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Byte e in two's complement: -128 .. 127.
    I8,
    /// Word e as i32, shifted right by 8, times 2^-23: [-1, 1).
    F32,
    /// Half-word e as i16, shifted right by 5, times 2^-10: [-1, 1).
    F16,
    /// Half-word e as i16, shifted right by 8, times 2^-7: [-1, 1).
    Bf16,
    /// Byte e as i8, shifted right by 4, times 2^-3, in fp8 e4m3: [-1, 1).
    Fp8E4m3,
    /// Nibble e, low nibble first; it stands for its value minus 8: -8 .. 7. Two to a byte.
    Q4,
}

impl Form {
    /// The form of a tensor type; sums (`I32`) have no stream.
    pub fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F32 => Some(Self::F32),
            Dtype::F16 => Some(Self::F16),
            Dtype::Bf16 => Some(Self::Bf16),
            Dtype::Fp8E4m3 => Some(Self::Fp8E4m3),
            Dtype::I8 => Some(Self::I8),
            Dtype::Q4 => Some(Self::Q4),
            Dtype::I32 => None,
        }
    }

    /// Bytes of a tensor; an odd count of nibbles fills its last byte with the nibble that would follow.
    pub fn tensor_bytes(self, elements: usize) -> usize {
        match self {
            Self::F32 => 4 * elements,
            Self::F16 | Self::Bf16 => 2 * elements,
            Self::I8 | Self::Fp8E4m3 => elements,
            Self::Q4 => elements.div_ceil(2),
        }
    }

    /// Turns stream bytes into tensor bytes; `bytes` begins at an element.
    fn shape(self, bytes: &mut [u8]) {
        match self {
            Self::I8 | Self::Q4 => {}
            Self::F32 => replace_words(bytes, |word| f32_of(i32::from_le_bytes(word)).to_le_bytes()),
            Self::F16 => replace_words(bytes, |half| {
                f16_bits(i16::from_le_bytes(half) >> 5).to_le_bytes()
            }),
            Self::Bf16 => replace_words(bytes, |half| {
                bf16_bits(i16::from_le_bytes(half) >> 8).to_le_bytes()
            }),
            Self::Fp8E4m3 => replace_words(bytes, |[byte]| [fp8_bits(byte.cast_signed() >> 4)]),
        }
    }
}

/// Applies `f` to every `N` bytes.
fn replace_words<const N: usize>(bytes: &mut [u8], f: impl Fn([u8; N]) -> [u8; N]) {
    let (words, _) = bytes.as_chunks_mut::<N>();
    for word in words {
        *word = f(*word);
    }
}

fn f32_of(word: i32) -> f32 {
    (word >> 8) as f32 * (1.0 / 8_388_608.0)
}

/// Bits of `value` times 2^-10 in binary16, for |value| <= 1024.
fn f16_bits(value: i16) -> u16 {
    // Exact in binary32, whose exponent bias is larger by 112 and whose fraction is longer by 13 bits.
    let bits = (f32::from(value) * (1.0 / 1024.0)).to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let magnitude = ((bits & 0x7FFF_FFFF) >> 13) as u16;
    if value == 0 {
        0
    } else {
        sign | magnitude.wrapping_sub(112 << 10)
    }
}

/// Bits of `value` times 2^-7 in bfloat16, for |value| <= 128.
fn bf16_bits(value: i16) -> u16 {
    ((f32::from(value) * (1.0 / 128.0)).to_bits() >> 16) as u16
}

/// Bits of `value` times 2^-3 in fp8 e4m3 (bias 7, three bits of fraction), for |value| <= 8.
fn fp8_bits(value: i8) -> u8 {
    let bits = (f32::from(value) * 0.125).to_bits();
    let magnitude = ((bits & 0x7FFF_FFFF) >> 20) as u8 as u32 | ((bits & 0x7FFF_FFFF) >> 20 & 0x700);
    if value == 0 {
        0
    } else {
        (bits >> 24) as u8 & 0x80 | (magnitude - (120 << 3)) as u8
    }
}

/// The key of the stream of tensor `name`.
pub fn key(seed: &[u8; 32], name: &str) -> [u32; 2] {
    let digest = Sha256::of_parts(&[b"hallmark.tensor.v1\0", seed, name.as_bytes()]).0;
    let (words, _) = digest.as_chunks::<4>();
    [u32::from_le_bytes(words[0]), u32::from_le_bytes(words[1])]
}

/// One block of Philox4x32-10.
pub fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    rounds(counter.map(|word| [word]), key).map(|[word]| word)
}

/// Ten rounds over `N` counters at once; word w of counter n is `counters[w][n]`.
#[inline(always)]
fn rounds<const N: usize>(counters: [[u32; N]; 4], key: [u32; 2]) -> [[u32; N]; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counters;
    let [mut k0, mut k1] = key;
    for _ in 0..ROUNDS {
        for lane in 0..N {
            let first = u64::from(c0[lane]) * u64::from(MULTIPLIERS[0]);
            let second = u64::from(c2[lane]) * u64::from(MULTIPLIERS[1]);
            c0[lane] = (second >> 32) as u32 ^ c1[lane] ^ k0;
            c1[lane] = second as u32;
            c2[lane] = (first >> 32) as u32 ^ c3[lane] ^ k1;
            c3[lane] = first as u32;
        }
        k0 = k0.wrapping_add(KEY_STEPS[0]);
        k1 = k1.wrapping_add(KEY_STEPS[1]);
    }
    [c0, c1, c2, c3]
}

/// Writes the bytes of `LANES` blocks from block `first` on.
fn write_blocks(key: [u32; 2], first: u64, out: &mut [u8; BLOCK_BYTES * LANES]) {
    let block = |lane: usize| first.wrapping_add(lane as u64);
    let low = std::array::from_fn(|lane| block(lane) as u32);
    let high = std::array::from_fn(|lane| (block(lane) >> 32) as u32);
    let words = rounds::<LANES>([low, high, [0; LANES], [0; LANES]], key);
    let (chunks, _) = out.as_chunks_mut::<4>();
    for lane in 0..LANES {
        for word in 0..4 {
            chunks[4 * lane + word] = words[word][lane].to_le_bytes();
        }
    }
}

/// Writes tensor bytes from byte `offset` of the tensor on, so that parts can be made by several threads. `offset` must
/// lie at the beginning of an element.
pub fn fill(seed: &[u8; 32], name: &str, form: Form, offset: u64, out: &mut [u8]) {
    fill_keyed(key(seed, name), form, offset, out);
}

/// [`fill`], from the stream's [`key`].
pub fn fill_keyed(key: [u32; 2], form: Form, offset: u64, out: &mut [u8]) {
    let skip = (offset % BLOCK_BYTES as u64) as usize;
    let mut block = offset / BLOCK_BYTES as u64;
    let mut buffer = [0; BLOCK_BYTES * LANES];
    let head = out.len().min((buffer.len() - skip) * usize::from(skip > 0));
    let (head, rest) = out.split_at_mut(head);
    if !head.is_empty() {
        write_blocks(key, block, &mut buffer);
        head.copy_from_slice(&buffer[skip..skip + head.len()]);
        form.shape(head);
        block = block.wrapping_add(LANES as u64);
    }
    for chunk in rest.chunks_mut(buffer.len()) {
        write_blocks(key, block, &mut buffer);
        chunk.copy_from_slice(&buffer[..chunk.len()]);
        form.shape(chunk);
        block = block.wrapping_add(LANES as u64);
    }
}

/// All bytes of a tensor, little-endian and dense.
pub fn bytes(seed: &[u8; 32], name: &str, form: Form, elements: usize) -> Vec<u8> {
    let mut out = vec![0; form.tensor_bytes(elements)];
    fill(seed, name, form, 0, &mut out);
    out
}

/// A tensor of f32.
pub fn f32s(seed: &[u8; 32], name: &str, elements: usize) -> Vec<f32> {
    let bytes = bytes(seed, name, Form::F32, elements);
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|&word| f32::from_le_bytes(word))
        .collect()
}

/// A tensor of i8, from element `first` on.
pub fn i8s(seed: &[u8; 32], name: &str, first: u64, elements: usize) -> Vec<i8> {
    let mut out = vec![0; elements];
    fill(seed, name, Form::I8, first, &mut out);
    out.into_iter().map(u8::cast_signed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: [u8; 32] = crate::exact::PUBLIC_SEED;

    fn f16_value(bits: u16) -> f64 {
        let magnitude = match (bits >> 10) & 31 {
            0 => f64::from(bits & 0x3FF) * 2f64.powi(-24),
            exponent => f64::from(0x400 + (bits & 0x3FF)) * 2f64.powi(i32::from(exponent) - 25),
        };
        if bits & 0x8000 == 0 { magnitude } else { -magnitude }
    }

    fn fp8_value(bits: u8) -> f64 {
        let magnitude = match (bits >> 3) & 15 {
            0 => f64::from(bits & 7) * 2f64.powi(-9),
            exponent => f64::from(8 + (bits & 7)) * 2f64.powi(i32::from(exponent) - 10),
        };
        if bits & 0x80 == 0 { magnitude } else { -magnitude }
    }

    #[test]
    fn every_small_number_keeps_its_value() {
        for value in -1024..=1023 {
            assert_eq!(f16_value(f16_bits(value)), f64::from(value) / 1024.0);
        }
        for value in -128..=127 {
            assert_eq!(
                f32::from_bits(u32::from(bf16_bits(value)) << 16),
                f32::from(value) / 128.0
            );
        }
        for value in -8..=7 {
            assert_eq!(fp8_value(fp8_bits(value)), f64::from(value) / 8.0);
        }
        assert_eq!((f16_bits(0), bf16_bits(0), fp8_bits(0)), (0, 0, 0));
    }

    #[test]
    fn a_tensor_made_in_parts_is_the_same_tensor() {
        for form in [
            Form::I8,
            Form::F32,
            Form::F16,
            Form::Bf16,
            Form::Fp8E4m3,
            Form::Q4,
        ] {
            let whole = bytes(&SEED, "parts", form, 1_003);
            for cut in [4, 16, 52, 256, 400] {
                let mut tail = vec![0; whole.len() - cut];
                fill(&SEED, "parts", form, cut as u64, &mut tail);
                assert_eq!(tail, whole[cut..], "{form:?} from byte {cut}");
            }
        }
    }

    #[test]
    fn a_block_past_2_to_the_32_uses_the_high_counter_word() {
        let block = (1u64 << 32) + 5;
        let mut out = [0; 16];
        fill(&SEED, "x", Form::I8, block * 16, &mut out);
        let words = philox([5, 1, 0, 0], key(&SEED, "x"));
        assert_eq!(out[..4], words[0].to_le_bytes());
        assert_eq!(out[12..], words[3].to_le_bytes());
    }
}
