//! Sizes of a block.

use crate::spec::Dims;

/// Sizes of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub tokens: usize,
    pub hidden: usize,
    pub heads: usize,
    pub kv: usize,
    pub width: usize,
    pub ffn: usize,
}

/// The largest of each size.
const MOST: usize = 1 << 20;

impl Shape {
    /// The sizes of a case, or what the definition excludes, in words.
    pub fn of(dims: &Dims) -> Result<Self, String> {
        let size = |name: &str| match dims.get(name).map(|&size| usize::try_from(size)) {
            Some(Ok(size)) if (1..=MOST).contains(&size) => Ok(size),
            Some(_) => Err(format!("{name} is not between 1 and {MOST}")),
            None => Err(format!("there is no {name}")),
        };
        let shape = Self {
            tokens: size("tokens")?,
            hidden: size("hidden")?,
            heads: size("heads")?,
            kv: size("kv")?,
            width: size("width")?,
            ffn: size("ffn")?,
        };
        if !shape.width.is_multiple_of(2) {
            return Err(format!("a head of {} elements is not made of pairs", shape.width));
        }
        if !shape.heads.is_multiple_of(shape.kv) {
            return Err(format!("{} heads do not share {} of keys", shape.heads, shape.kv));
        }
        let qkv = shape.heads + 2 * shape.kv;
        match size("qkv")? == qkv {
            true => Ok(shape),
            false => Err(format!("qkv is not heads + 2 kv, which is {qkv}")),
        }
    }

    /// Elements of all heads of queries.
    pub fn queries(&self) -> usize {
        self.heads * self.width
    }

    /// Elements of all heads of keys, and of values.
    pub fn keys(&self) -> usize {
        self.kv * self.width
    }

    /// Operations of recomputing a block: each product and its sum, and 32 for each exponential and what is around it.
    pub fn cost(&self) -> Option<u64> {
        let product = |factors: &[usize]| {
            let mut factors = factors.iter();
            factors.try_fold(1u64, |product, &factor| product.checked_mul(factor as u64))
        };
        let columns = 2 * self.queries() + 2 * self.keys() + 3 * self.ffn;
        let terms = [
            product(&[2, self.tokens, self.hidden, columns])?,
            product(&[2, self.tokens, self.tokens + 1, self.queries()])?,
            product(&[32, self.tokens, self.tokens, self.heads])?,
            product(&[32, self.tokens, self.ffn + self.hidden + self.width])?,
        ];
        terms.into_iter().try_fold(0u64, u64::checked_add)
    }
}

/// An odd size of everything.
#[cfg(test)]
pub(super) const SHAPE: Shape = Shape {
    tokens: 13,
    hidden: 48,
    heads: 6,
    kv: 3,
    width: 10,
    ffn: 35,
};

#[cfg(test)]
mod tests {
    use super::*;

    fn dims(sizes: [u64; 7]) -> Dims {
        let names = ["tokens", "hidden", "heads", "kv", "width", "ffn", "qkv"];
        names.map(str::to_owned).into_iter().zip(sizes).collect()
    }

    #[test]
    fn sizes_that_are_no_block_are_refused_in_words() {
        let refusal = |sizes| Shape::of(&dims(sizes)).err();
        assert_eq!(refusal([13, 48, 6, 3, 10, 35, 12]), None);
        assert!(refusal([0, 48, 6, 3, 10, 35, 12]).is_some());
        assert!(refusal([13, 1 << 21, 6, 3, 10, 35, 12]).is_some());
        let odd = refusal([13, 48, 6, 3, 11, 35, 12]).expect("odd heads");
        assert_eq!(odd, "a head of 11 elements is not made of pairs");
        assert!(refusal([13, 48, 6, 4, 10, 35, 14]).is_some());
        assert!(refusal([13, 48, 6, 3, 10, 35, 11]).is_some());
        assert!(Shape::of(&Dims::new()).is_err());
    }

    #[test]
    fn the_largest_sizes_cost_more_than_can_be_counted_or_paid() {
        let most = MOST as u64;
        let shape = Shape::of(&dims([most, most, most, 1, most, most, most + 2]));
        assert!(shape.is_err(), "qkv is past the limit");
        let shape = Shape::of(&dims([most, most, most / 2, 1, most, most, most / 2 + 2])).expect("sizes");
        assert_eq!(shape.cost(), None);
        assert!(SHAPE.cost().expect("small") > 2 * 13 * 48 * (2 * 60 + 60 + 3 * 35));
    }
}
