//! A user's own network of Llama's form on a device: ids of tokens in, ids out, each the one of the largest logit.
//!
//! What runs is what `llm.prefill` and `llm.decode` are made of, on the weights of a checkpoint. Its inputs are no
//! specification's, so what is measured here compares with no record and is in no statement.
//!
//! Weights and activations are f16, sums f32: weights in bf16 and f32 are narrowed. With [`Weights::Q4`] the matrices of
//! products are rounded to 4 bits in blocks of 32, and activations to i8 before each product.

mod checkpoint;
mod config;
mod error;
mod inputs;
mod network;
mod steps;

use std::time::Instant;

pub use checkpoint::Checkpoint;
pub use error::GenerateError;

use crate::device::{Device, Running};
use crate::program::Program;
use inputs::Inputs;
use network::{LOGITS, PICKED};

/// How products' weights are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    F16,
    Q4,
}

impl Weights {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Q4 => "q4",
        }
    }
}

/// What is to be generated.
#[derive(Clone, Debug)]
pub struct Request {
    /// Ids of the prompt.
    pub prompt: Vec<u32>,
    /// Tokens to generate, at least one.
    pub tokens: usize,
    pub weights: Weights,
}

/// A checkpoint's network for one request.
pub struct Network<'a> {
    checkpoint: &'a Checkpoint,
    request: Request,
    program: Program,
    inputs: Inputs,
}

/// A network in a device's memory.
pub struct Session<'a> {
    device: &'a dyn Device,
    request: &'a Request,
    vocab: usize,
    running: Box<dyn Running + 'a>,
    /// Tokens whose keys and values are kept.
    kept: usize,
}

/// A generated token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: u32,
    /// From the call to the id in the host's memory, by the host's clock.
    pub host_ns: u64,
    /// What the device's clock counts of it.
    pub device_ns: u64,
}

impl<'a> Network<'a> {
    /// The network as stages, every limit checked but those of a device.
    pub fn new(checkpoint: &'a Checkpoint, request: Request) -> Result<Self, GenerateError> {
        expect_request(checkpoint, &request)?;
        let (program, inputs) = network::program(&checkpoint.config, &request)
            .map_err(|reason| GenerateError::Refused { reason })?;
        Ok(Self {
            checkpoint,
            request,
            program,
            inputs,
        })
    }

    /// Puts the weights into the device's memory.
    pub fn load(&'a self, device: &'a dyn Device) -> Result<Session<'a>, GenerateError> {
        let mut running = device.prepare(&self.program)?;
        self.inputs.write(self.checkpoint, running.as_mut())?;
        Ok(Session {
            device,
            request: &self.request,
            vocab: self.checkpoint.config.model.vocab,
            running,
            kept: 0,
        })
    }
}

fn expect_request(checkpoint: &Checkpoint, request: &Request) -> Result<(), GenerateError> {
    let config = &checkpoint.config;
    let prompt = |reason: String| GenerateError::Prompt { reason };
    if request.prompt.is_empty() {
        return Err(prompt("the prompt has no token; give one at least".to_owned()));
    }
    if let Some(id) = { request.prompt.iter() }.find(|id| **id as usize >= config.model.vocab) {
        let vocab = config.model.vocab;
        return Err(prompt(format!(
            "the prompt's id {id} is outside the vocabulary of {vocab}"
        )));
    }
    let (before, after) = (request.prompt.len(), request.tokens);
    if after == 0 {
        return Err(prompt("0 tokens were asked for; ask for one at least".to_owned()));
    }
    if before.saturating_add(after) > config.longest {
        return Err(GenerateError::TooLong {
            reason: format!(
                "a prompt of {before} tokens and {after} more are past the max_position_embeddings of {}",
                config.longest
            ),
        });
    }
    Ok(())
}

/// Phases of the program.
const PROMPT: usize = 0;
const TOKEN: usize = 1;

impl Session<'_> {
    /// The prompt from its beginning, to the first token after it.
    pub fn prefill(&mut self) -> Result<Token, GenerateError> {
        let began = Instant::now();
        let device_ns = self.running.run(PROMPT)?.device_ns;
        self.kept = self.request.prompt.len();
        self.picked(began, device_ns)
    }

    /// The token after the last one.
    pub fn decode(&mut self) -> Result<Token, GenerateError> {
        let longest = self.request.prompt.len() + self.request.tokens;
        if self.kept == 0 || self.kept >= longest {
            let kept = self.kept;
            let reason =
                format!("{kept} tokens are kept: a token follows a prompt, up to the {longest} asked for");
            return Err(GenerateError::TooLong { reason });
        }
        let began = Instant::now();
        let device_ns = self.running.run(TOKEN)?.device_ns;
        self.kept += 1;
        self.picked(began, device_ns)
    }

    fn picked(&mut self, began: Instant, device_ns: u64) -> Result<Token, GenerateError> {
        let word = |bytes: Vec<u8>| bytes.try_into().expect("four bytes");
        let id = u32::from_le_bytes(word(self.running.read(PICKED, 0..4)?));
        let host_ns = began.elapsed().as_nanos() as u64;
        let at = 4 * (id as usize).min(self.vocab - 1);
        let logit = f32::from_le_bytes(word(self.running.read(LOGITS, at..at + 4)?));
        if !logit.is_finite() || id as usize >= self.vocab {
            return Err(GenerateError::NotFinite {
                device: self.device.facts().id.clone(),
                tokens: self.kept,
                logit,
                id,
            });
        }
        Ok(Token {
            id,
            host_ns,
            device_ns,
        })
    }

    /// Logits of the last token, `vocab_size` of them.
    pub fn logits(&mut self) -> Result<Vec<f32>, GenerateError> {
        let bytes = self.running.read(LOGITS, 0..4 * self.vocab)?;
        let (words, _) = bytes.as_chunks();
        Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
    }
}
