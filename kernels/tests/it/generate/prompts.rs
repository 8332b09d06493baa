//! What comes after a text, whether it came token by token or is a prompt, whose tokens run at once.

use kernels::device::Device;
use kernels::generate::{Checkpoint, Network, Request, Weights};

use super::files::{config, tensors, write};
use crate::harness::devices;

fn request(prompt: &[u32], tokens: usize, weights: Weights) -> Request {
    Request {
        prompt: prompt.to_vec(),
        tokens,
        weights,
    }
}

/// A text that begins with one token, and the logits after each of its tokens but the last.
fn text(device: &dyn Device, checkpoint: &Checkpoint, weights: Weights) -> (Vec<u32>, Vec<Vec<f32>>) {
    const TOKENS: usize = 66;
    let mut ids = vec![13];
    let network = Network::new(checkpoint, request(&ids, TOKENS, weights)).expect("a network");
    let mut session = network.load(device).expect("a small network");
    let mut logits = vec![];
    while logits.len() < TOKENS {
        let token = match logits.is_empty() {
            true => session.prefill(),
            false => session.decode(),
        };
        ids.push(token.expect("a token").id);
        logits.push(session.logits().expect("logits"));
    }
    (ids, logits)
}

/// The two ids after a prompt, and by how much logits are off at most, in standard deviations of all.
fn after(
    device: &dyn Device,
    checkpoint: &Checkpoint,
    prompt: Request,
    want: &[Vec<f32>],
) -> ([u32; 2], f32) {
    let network = Network::new(checkpoint, prompt).expect("a network");
    let mut session = network.load(device).expect("a small network");
    let mut worst = 0.0;
    let ids = std::array::from_fn(|at| {
        let token = if at == 0 {
            session.prefill()
        } else {
            session.decode()
        };
        let spread = (want[at].iter().map(|x| x * x).sum::<f32>() / want[at].len() as f32).sqrt();
        for (got, want) in session.logits().expect("logits").iter().zip(&want[at]) {
            worst = f32::max(worst, (got - want).abs() / spread);
        }
        token.expect("a token").id
    });
    (ids, worst)
}

/// Sums may be in another order and attention in other parts: then halves between operations are the nearest or the next ones,
/// and so are activations that are rounded to i8, which is a hundredth of the largest of 32. Here most sums are exact: with
/// f16 weights 0.0013 was the most on any device, and nothing with 4 bits.
#[test]
fn a_prompt_leaves_what_its_tokens_leave_one_by_one_on_every_device() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config();
    config["max_position_embeddings"] = 128.into();
    let mut tensors = tensors();
    // Logits of other ids: texts of this network would soon say one token over and over.
    let ends = tensors.get_mut("lm_head.weight").expect("there");
    ends.bytes.rotate_left(37 * 2 * ends.shape[1]);
    write(folder.path(), &config, &tensors);
    let checkpoint = Checkpoint::open(folder.path()).expect("a checkpoint");
    let devices = devices();
    for (weights, allowed) in [(Weights::F16, 0.02), (Weights::Q4, 0.05)] {
        let (mut ids, logits) = text(devices[0].as_ref(), &checkpoint, weights);
        // Neighbours of tiles of 64.
        for (device, tokens) in
            { devices.iter() }.flat_map(|device| [1, 2, 17, 63, 64, 65].map(|n| (device, n)))
        {
            let what = format!("{}, {}, {tokens} tokens", device.facts().id, weights.as_str());
            let prompt = request(&ids[..tokens], 1, weights);
            let (next, error) = after(device.as_ref(), &checkpoint, prompt, &logits[tokens - 1..]);
            assert!(error < allowed, "{what}: a logit is off by {error}");
            assert_eq!(next, ids[tokens..tokens + 2], "{what}");
        }
        assert_ne!(ids[14], ids[15]);
        ids.swap(14, 15);
        let prompt = request(&ids[..17], 1, weights);
        let (_, error) = after(devices[0].as_ref(), &checkpoint, prompt, &logits[16..]);
        assert!(
            error > 2.0 * allowed,
            "two tokens in the other order change logits by {error}"
        );
    }
}
