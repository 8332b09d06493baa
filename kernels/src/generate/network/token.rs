//! One token over the keys and values of those before it.

use super::super::inputs::Product;
use super::super::steps::APPEND;
use super::weights::Layer;
use super::{
    ATTENDED, BLOCK, BRANCH, GATED, GATES_UPS, HALF, KEYS, MIDDLE, NEW_KEYS, NEW_VALUES, NORMED, Network,
    PAGE, PICKED, POSITION, Q_TURNED, SINGLE, SUMS, TRUNK, TURNS, UNTURNED, VALUES, apart, integers,
    narrowed,
};
use crate::gemv_q4::abreast;
use crate::llama::Model;
use crate::stages::Stage;
use crate::workload::Slot;
use crate::{attention_decode_f16, gemv_f16, rope_f16};

impl Network<'_> {
    pub(super) fn token(&self) -> Vec<Stage> {
        let mut stages = vec![self.embed(1, Slot::Output(PICKED))];
        for (index, layer) in self.layers.iter().enumerate() {
            stages.extend(self.token_attention(index, layer));
            stages.extend(self.token_ffn(layer));
        }
        stages.extend(self.end(TRUNK));
        let sizes = [
            ("layers", self.model.layers),
            ("keys", self.model.keys()),
            ("stride", apart(self.model.keys())),
            ("room", self.room),
        ];
        stages.push(Stage::new(
            APPEND,
            &sizes,
            &[NEW_KEYS, NEW_VALUES, POSITION],
            &[KEYS, VALUES],
        ));
        stages.push(self.place(0));
        stages
    }

    fn token_attention(&self, index: usize, layer: &Layer) -> Vec<Stage> {
        let Model {
            hidden,
            heads,
            kvheads,
            head,
            ..
        } = self.model;
        let (queries, keys) = (self.model.queries(), self.model.keys());
        let (at_keys, at_values) = (apart(queries), apart(queries) + apart(keys));
        let turn = |heads: usize, x: Slot, y: Slot| {
            let sizes = [("tokens", 1), ("heads", heads), ("width", head)];
            Stage::of(&rope_f16::WORKLOAD, &sizes, &[x, TURNS], y)
        };
        let [new_keys, new_values] =
            [NEW_KEYS, NEW_VALUES].map(|all| all.elements(index * apart(keys), keys, HALF));
        let mut stages = vec![self.norm(1, layer.attention_norm, TRUNK)];
        stages.extend(self.rounded(NORMED, hidden));
        let matrices = [(layer.query, queries), (layer.key, keys), (layer.value, keys)];
        stages.extend(self.products(&matrices, hidden, NORMED, SUMS));
        stages.extend([
            narrowed(SUMS.elements(0, at_keys + keys, SINGLE), at_keys + keys, UNTURNED),
            narrowed(SUMS.elements(at_values, keys, SINGLE), keys, new_values),
            turn(
                heads,
                UNTURNED.elements(0, queries, HALF),
                Q_TURNED.elements(0, queries, HALF),
            ),
            turn(kvheads, UNTURNED.elements(at_keys, keys, HALF), new_keys),
            self.attend(index, [new_keys, new_values]),
        ]);
        stages.extend(self.rounded(ATTENDED, queries));
        stages.extend(self.products(&[(layer.out, hidden)], queries, ATTENDED, SUMS));
        stages.extend([
            narrowed(SUMS.elements(0, hidden, SINGLE), hidden, BRANCH),
            self.join(1, TRUNK, MIDDLE),
        ]);
        stages
    }

    fn token_ffn(&self, layer: &Layer) -> Vec<Stage> {
        let Model { hidden, ffn, .. } = self.model;
        let both = apart(ffn) + ffn;
        let [gates, ups] = [0, apart(ffn)].map(|first| GATES_UPS.elements(first, ffn, HALF));
        let mut stages = vec![self.norm(1, layer.ffn_norm, MIDDLE)];
        stages.extend(self.rounded(NORMED, hidden));
        let matrices = [(layer.gate, ffn), (layer.up, ffn)];
        stages.extend(self.products(&matrices, hidden, NORMED, SUMS));
        stages.extend([
            narrowed(SUMS.elements(0, both, SINGLE), both, GATES_UPS),
            self.gated(1, gates, ups),
        ]);
        stages.extend(self.rounded(GATED, ffn));
        stages.extend(self.products(&[(layer.down, hidden)], ffn, GATED, SUMS));
        stages.extend([
            narrowed(SUMS.elements(0, hidden, SINGLE), hidden, BRANCH),
            self.join(1, MIDDLE, TRUNK),
        ]);
        stages
    }

    /// Sums of one row of activations with the rows of each matrix, or with 4-bit weights of what was rounded last: each
    /// matrix's [`apart`] from the last one's.
    pub(super) fn products(
        &self,
        matrices: &[(Product, usize)],
        k: usize,
        x: Slot,
        sums: Slot,
    ) -> Vec<Stage> {
        let quantized: Option<Vec<_>> = { matrices.iter() }
            .map(|(product, rows)| Some(([product.weights, product.scales?], *rows)))
            .collect();
        if let Some(matrices) = quantized {
            return vec![abreast::stage(&matrices, k / BLOCK, integers(k), sums)];
        }
        let firsts = abreast::firsts(matrices.iter().map(|(_, rows)| *rows));
        let product = |(first, (product, rows)): (usize, &(Product, usize))| {
            let inputs = [product.weights, x.elements(0, k, HALF)];
            let y = sums.elements(first, *rows, SINGLE);
            Stage::of(&gemv_f16::WORKLOAD, &[("n", *rows), ("k", k)], &inputs, y)
        };
        firsts.zip(matrices).map(product).collect()
    }

    fn attend(&self, layer: usize, [new_keys, new_values]: [Slot; 2]) -> Stage {
        let Model {
            heads, kvheads, head, ..
        } = self.model;
        let pages = self.room / PAGE;
        let sizes = [
            ("batch", 1),
            ("heads", heads),
            ("kvheads", kvheads),
            ("head", head),
            ("context", self.room),
            ("page", PAGE),
            ("seqpages", pages),
            ("pages", pages),
        ];
        let cache = self.room * self.model.keys();
        let [k, v] = [KEYS, VALUES].map(|all| all.elements(layer * cache, cache, HALF));
        let q = Q_TURNED.elements(0, self.model.queries(), HALF);
        let inputs = [q, k, v, self.fixed.pages, POSITION, new_keys, new_values];
        let attended = ATTENDED.elements(0, self.model.queries(), HALF);
        Stage::new(attention_decode_f16::newest::OP, &sizes, &inputs, &[attended])
    }
}
