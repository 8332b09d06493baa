//! A network from a checkpoint: tokens that transformers gives on the CPU (ci/independent/llm_greedy.py writes them), and
//! checkpoints that are damaged or of another form.

mod fields;
mod files;
mod prompts;
mod refused;

use std::path::{Path, PathBuf};

use kernels::device::Device;
use kernels::generate::{Checkpoint, Network, Request, Weights};
use serde_json::{Map, Value};

use crate::harness::devices;

/// Three layers, four heads of 16 for two of keys, 96 ids. Weights are multiples of a power of two, at most 8 of them, so that
/// files in f16, bf16 and f32 and blocks of 4 bits all hold the same.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/llama-tiny")
}

/// What transformers computed in f32.
struct Expected {
    /// Of `config.json`, as they were changed.
    fields: Map<String, Value>,
    prompt: Vec<u32>,
    tokens: Vec<u32>,
    /// Of each token, `vocab_size` of them.
    logits: Vec<Vec<f64>>,
}

impl Expected {
    /// `greedy`, of the network as it is, or `llama3`, with that scaling of its rope.
    fn read(name: &str) -> Self {
        let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).expect("committed");
        let read: Value = serde_json::from_str(&text).expect("JSON");
        let numbers = |list: &Value| -> Vec<f64> {
            let list = list.as_array().expect("a list").iter();
            list.map(|number| number.as_f64().expect("a number")).collect()
        };
        let ids = |name: &str| numbers(&read[name]).into_iter().map(|id| id as u32).collect();
        Self {
            fields: read["fields"].as_object().expect("fields").clone(),
            prompt: ids("prompt"),
            tokens: ids("tokens"),
            logits: { read["logits"].as_array() }
                .expect("a list")
                .iter()
                .map(numbers)
                .collect(),
        }
    }

    fn request(&self, weights: Weights) -> Request {
        Request {
            prompt: self.prompt.clone(),
            tokens: self.tokens.len(),
            weights,
        }
    }
}

/// Tokens, and the largest error of a logit in standard deviations of all.
fn generated(device: &dyn Device, folder: &Path, expected: &Expected, weights: Weights) -> (Vec<u32>, f64) {
    let checkpoint = Checkpoint::open(folder).expect("a checkpoint");
    let network = Network::new(&checkpoint, expected.request(weights)).expect("a network");
    let mut session = network.load(device).expect("a small network");
    let (mut tokens, mut worst) = (vec![], 0.0f64);
    for want in &expected.logits {
        let token = match tokens.is_empty() {
            true => session.prefill(),
            false => session.decode(),
        };
        tokens.push(token.expect("a token").id);
        let got = session.logits().expect("logits");
        let spread = (want.iter().map(|x| x * x).sum::<f64>() / want.len() as f64).sqrt();
        let errors = got
            .iter()
            .zip(want)
            .map(|(got, want)| (f64::from(*got) - want).abs());
        worst = worst.max(errors.fold(0.0, f64::max) / spread);
    }
    session.decode().expect("as many as a warm-up of one token takes");
    assert!(session.decode().is_err(), "more than was asked for");
    // A prompt begins anew, whatever was kept.
    assert_eq!(session.prefill().expect("a token").id, tokens[0]);
    (tokens, worst)
}

/// With f16 weights and with 4 bits. The smallest lead of a largest logit is 0.137 standard deviations. What f16 between
/// operations errs by is 0.009 in the worst of all logits; activations rounded to i8, a hundredth of their size, 0.26, and less
/// in the two largest.
pub(crate) fn expect_the_tokens_of_transformers(device: &dyn Device) {
    let expected = Expected::read("greedy");
    let id = &device.facts().id;
    for (weights, allowed) in [(Weights::F16, 0.02), (Weights::Q4, 0.5)] {
        let (tokens, worst) = generated(device, &folder(), &expected, weights);
        eprintln!(
            "{id}, {}: logits within {worst:.4} standard deviations",
            weights.as_str()
        );
        assert_eq!(tokens, expected.tokens, "{id}, {}", weights.as_str());
        assert!(
            worst < allowed,
            "{id}, {}: a logit is off by {worst}",
            weights.as_str()
        );
    }
}

#[test]
fn tokens_are_those_of_transformers_on_every_device() {
    for device in devices() {
        expect_the_tokens_of_transformers(device.as_ref());
    }
}
