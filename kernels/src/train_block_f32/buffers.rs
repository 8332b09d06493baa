//! What lies between inputs and outputs: the buffers of a plan's scratch.

use super::Sizes;

/// Each is one array of f32, named after what it holds last or longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Buffer {
    /// rmsnorm(x) w₁ and the scale of each row.
    Normal1,
    Scale1,
    /// Queries, attention or their gradients, by tokens.
    Flat,
    /// Keys or values or their gradients, by tokens.
    FlatKv,
    /// By heads.
    Query,
    Key,
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
    /// silu(gate) up, and its gradient.
    Inner,
    DInner,
    /// Gradients.
    DNormal,
    DMiddle,
    DAttention,
    DScore,
    DQuery,
    DKey,
    DValue,
    /// Transposed operands on the CPU.
    TurnedA,
    TurnedB,
}

pub(super) const COUNT: usize = Buffer::TurnedB as usize + 1;

/// Buffers that kernels on GPUs use: all but those for transposed operands.
pub(super) const ON_GPUS: usize = Buffer::TurnedA as usize;

/// Elements of each buffer, in order.
pub(super) fn elements(sizes: Sizes) -> [usize; COUNT] {
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
    let across = query.max(rows).max(mlp);
    [
        rows,
        tokens,
        query,
        key,
        query,
        key,
        key,
        scores,
        query,
        rows,
        rows,
        tokens,
        mlp,
        mlp,
        mlp,
        mlp,
        rows,
        rows,
        query,
        scores,
        query,
        key,
        key,
        across.max(sizes.group() * tokens * tokens),
        across.max(hidden * inner).max(hidden * heads * width),
    ]
}
