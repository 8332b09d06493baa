//! The prompt, all its tokens at once; its keys and values go where those of later tokens will follow.

use super::super::inputs::Product;
use super::weights::Layer;
use super::{
    ATTENDED, BRANCH, GATED, GATES, HALF, K, KEYS, MIDDLE, NORMED, Network, Q, Q_TURNED, TRUNK, UPS, VALUES,
    part,
};
use crate::llama::Model;
use crate::stages::Stage;
use crate::workload::Slot;
use crate::{attention_prefill_f16, embedding_gather_f16, gemm_f16, rope_f16};

impl Network<'_> {
    pub(super) fn prompt(&self) -> Vec<Stage> {
        let tokens = self.request.prompt.len();
        let mut stages = vec![self.embed(tokens, self.fixed.prompt)];
        for (index, layer) in self.layers.iter().enumerate() {
            stages.extend(self.prompt_layer(index, layer));
        }
        let sizes = [("vocabulary", tokens), ("cols", self.model.hidden), ("tokens", 1)];
        let inputs = [self.trunk(TRUNK, tokens), self.fixed.last];
        stages.push(Stage::of(
            &embedding_gather_f16::WORKLOAD,
            &sizes,
            &inputs,
            self.trunk(MIDDLE, 1),
        ));
        stages.extend(self.end(MIDDLE));
        stages.push(self.place(tokens + 1));
        stages
    }

    fn prompt_layer(&self, index: usize, layer: &Layer) -> [Stage; 15] {
        let Model {
            hidden,
            heads,
            kvheads,
            head,
            ffn,
            ..
        } = self.model;
        let tokens = self.request.prompt.len();
        let (queries, keys) = (self.model.queries(), self.model.keys());
        let [k, v] = [KEYS, VALUES].map(|cache| {
            let layer = part(cache, index * self.room * keys, self.room * keys, HALF);
            part(layer, 0, tokens * keys, HALF)
        });
        let rows = |slot: Slot, width: usize| part(slot, 0, tokens * width, HALF);
        let product = |product: Product, [n, k]: [usize; 2], x: Slot, y: Slot| {
            let sizes = [("m", tokens), ("n", n), ("k", k)];
            Stage::of(&gemm_f16::WORKLOAD, &sizes, &[x, product.weights], y)
        };
        let turn = |heads: usize, x: Slot, y: Slot| {
            let sizes = [("tokens", tokens), ("heads", heads), ("width", head)];
            Stage::of(&rope_f16::WORKLOAD, &sizes, &[x, self.fixed.table], y)
        };
        let normed = rows(NORMED, hidden);
        [
            self.norm(tokens, layer.attention_norm, TRUNK),
            product(layer.query, [queries, hidden], normed, rows(Q, queries)),
            product(layer.key, [keys, hidden], normed, rows(K, keys)),
            product(layer.value, [keys, hidden], normed, v),
            turn(heads, rows(Q, queries), rows(Q_TURNED, queries)),
            turn(kvheads, rows(K, keys), k),
            Stage::of(
                &attention_prefill_f16::WORKLOAD,
                &[
                    ("tokens", tokens),
                    ("heads", heads),
                    ("kvheads", kvheads),
                    ("head", head),
                ],
                &[rows(Q_TURNED, queries), k, v],
                rows(ATTENDED, queries),
            ),
            product(
                layer.out,
                [hidden, queries],
                rows(ATTENDED, queries),
                rows(BRANCH, hidden),
            ),
            self.join(tokens, TRUNK, MIDDLE),
            self.norm(tokens, layer.ffn_norm, MIDDLE),
            product(layer.gate, [ffn, hidden], normed, rows(GATES, ffn)),
            product(layer.up, [ffn, hidden], normed, rows(UPS, ffn)),
            self.gated(tokens, rows(GATES, ffn), rows(UPS, ffn)),
            product(layer.down, [hidden, ffn], rows(GATED, ffn), rows(BRANCH, hidden)),
            self.join(tokens, MIDDLE, TRUNK),
        ]
    }
}
