//! The prompt, all its tokens at once; its keys and values go where those of later tokens will follow.

use super::super::inputs::Product;
use super::weights::Layer;
use super::{
    ATTENDED, BLOCK, BRANCH, GATED, GATES, HALF, K, KEYS, MIDDLE, NORMED, Network, Q, Q_TURNED, SINGLE, SUMS,
    TRUNK, UPS, VALUES, integers, narrowed,
};
use crate::llama::Model;
use crate::stages::Stage;
use crate::workload::Slot;
use crate::{attention_prefill_f16, embedding_gather_f16, gemm_f16, gemm_q4, rope_f16};

impl Network<'_> {
    pub(super) fn prompt(&self) -> Vec<Stage> {
        let tokens = self.request.prompt.len();
        let mut stages = vec![self.embed(tokens, self.fixed.prompt)];
        for (index, layer) in self.layers.iter().enumerate() {
            stages.extend(self.prompt_attention(index, layer));
            stages.extend(self.prompt_ffn(layer));
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

    fn prompt_attention(&self, index: usize, layer: &Layer) -> Vec<Stage> {
        let Model {
            hidden,
            heads,
            kvheads,
            head,
            ..
        } = self.model;
        let tokens = self.request.prompt.len();
        let (queries, keys) = (self.model.queries(), self.model.keys());
        let [k, v] = [KEYS, VALUES].map(|cache| {
            let layer = cache.elements(index * self.room * keys, self.room * keys, HALF);
            layer.elements(0, tokens * keys, HALF)
        });
        let turn = |heads: usize, x: Slot, y: Slot| {
            let sizes = [("tokens", tokens), ("heads", heads), ("width", head)];
            Stage::of(&rope_f16::WORKLOAD, &sizes, &[x, self.fixed.table], y)
        };
        let sizes = [
            ("tokens", tokens),
            ("heads", heads),
            ("kvheads", kvheads),
            ("head", head),
        ];
        let [q, q_turned, attended] = [Q, Q_TURNED, ATTENDED].map(|slot| self.rows(slot, queries));
        let mut stages = vec![self.norm(tokens, layer.attention_norm, TRUNK)];
        stages.extend(self.prompt_products(
            NORMED,
            hidden,
            &[
                (layer.query, queries, Q),
                (layer.key, keys, K),
                (layer.value, keys, v),
            ],
        ));
        stages.extend([
            turn(heads, q, q_turned),
            turn(kvheads, self.rows(K, keys), k),
            Stage::of(
                &attention_prefill_f16::WORKLOAD,
                &sizes,
                &[q_turned, k, v],
                attended,
            ),
        ]);
        stages.extend(self.prompt_products(ATTENDED, queries, &[(layer.out, hidden, BRANCH)]));
        stages.push(self.join(tokens, TRUNK, MIDDLE));
        stages
    }

    fn prompt_ffn(&self, layer: &Layer) -> Vec<Stage> {
        let Model { hidden, ffn, .. } = self.model;
        let tokens = self.request.prompt.len();
        let mut stages = vec![self.norm(tokens, layer.ffn_norm, MIDDLE)];
        let products = [(layer.gate, ffn, GATES), (layer.up, ffn, UPS)];
        stages.extend(self.prompt_products(NORMED, hidden, &products));
        stages.push(self.gated(tokens, self.rows(GATES, ffn), self.rows(UPS, ffn)));
        stages.extend(self.prompt_products(GATED, ffn, &[(layer.down, hidden, BRANCH)]));
        stages.push(self.join(tokens, MIDDLE, TRUNK));
        stages
    }

    /// Of `x`, `k` wide, with each matrix of `n` rows, to its `y`.
    fn prompt_products(&self, x: Slot, k: usize, matrices: &[(Product, usize, Slot)]) -> Vec<Stage> {
        let tokens = self.request.prompt.len();
        let mut stages = Vec::from_iter(self.rounded(x, tokens * k));
        for &(Product { weights, scales }, n, y) in matrices {
            let y = self.rows(y, n);
            let Some(scales) = scales else {
                let sizes = [("m", tokens), ("n", n), ("k", k)];
                let x = self.rows(x, k);
                stages.push(Stage::of(&gemm_f16::WORKLOAD, &sizes, &[x, weights], y));
                continue;
            };
            let [x, x_scales] = integers(tokens * k);
            let sums = SUMS.elements(0, tokens * n, SINGLE);
            let sizes = [("m", tokens), ("n", n), ("blocks", k / BLOCK), ("block", BLOCK)];
            let inputs = [x, x_scales, weights, scales];
            stages.push(Stage::of(&gemm_q4::WORKLOAD, &sizes, &inputs, sums));
            stages.push(narrowed(sums, tokens * n, y));
        }
        stages
    }

    /// As many of `width` as the prompt has tokens.
    fn rows(&self, slot: Slot, width: usize) -> Slot {
        slot.elements(0, self.request.prompt.len() * width, HALF)
    }
}
