//! What lies between inputs and outputs of blocks: the first buffers of a plan's scratch.

use super::Sizes;
use crate::workload::{PART_ALIGNMENT, Slot};

/// Each is one array of f32, named after what it holds last or longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Buffer {
    /// rmsnorm(x) w₁ and the scale of each row.
    Normal1,
    Scale1,
    /// By heads.
    Query,
    Key,
    /// By tokens.
    Value,
    /// Probabilities, one matrix a head.
    Probability,
    /// The attention's output by tokens, which is what wo is multiplied with.
    Attention,
    /// x plus the attention.
    Middle,
    Normal2,
    Scale2,
    /// Gate and up projections, then their gradients.
    Gate,
    Up,
    /// silu(gate) up.
    Inner,
    /// Queries or their gradients, by tokens.
    Flat,
    /// Keys or their gradients, by tokens.
    FlatKv,
    /// Gradients.
    DInner,
    DNormal,
    DMiddle,
    DAttention,
    DScore,
    DQuery,
    DKey,
    DValue,
}

/// Buffers of blocks in all.
pub(crate) const COUNT: usize = Buffer::DValue as usize + 1;

/// Those before it are kept from a block's forward pass to its backward pass, the others belong to the pass that runs.
const FIRST_SHARED: usize = Buffer::Flat as usize;

impl Buffer {
    /// The buffer of one block of a stack.
    pub(super) fn slot(self, sizes: Sizes, layer: usize) -> Slot {
        let index = self as usize;
        if index >= FIRST_SHARED {
            return Slot::Scratch(index);
        }
        let bytes = bytes(sizes)[index];
        Slot::Scratch(index).part(layer as u64 * bytes.next_multiple_of(PART_ALIGNMENT), bytes)
    }
}

/// Bytes of each buffer for so many blocks.
pub(crate) fn scratch(sizes: Sizes, layers: usize) -> [u64; COUNT] {
    let mut buffers = bytes(sizes);
    for bytes in &mut buffers[..FIRST_SHARED] {
        *bytes += (layers as u64 - 1) * bytes.next_multiple_of(PART_ALIGNMENT);
    }
    buffers
}

/// Bytes of each buffer of one block, in order.
fn bytes(sizes: Sizes) -> [u64; COUNT] {
    let Sizes {
        tokens,
        hidden,
        heads,
        kvheads,
        width,
        inner,
    } = sizes;
    let rows = tokens * hidden;
    let query = tokens * heads * width;
    let key = tokens * kvheads * width;
    let scores = heads * tokens * tokens;
    let mlp = tokens * inner;
    let elements = [
        rows, tokens, query, key, key, scores, query, rows, rows, tokens, mlp, mlp, mlp, query, key, mlp,
        rows, rows, query, scores, query, key, key,
    ];
    elements.map(|elements| (elements * size_of::<f32>()) as u64)
}
