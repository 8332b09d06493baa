//! `hallmark generate`: the user's own network, token by token, and how long each took. No record: its inputs are no
//! specification's.

use kernels::device::Device;
use kernels::generate::{Checkpoint, GenerateError, Network, Request, Session, Token, Weights};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::answer;
use crate::cli::{self, Format};
use crate::exit::{Done, Failure, Outcome, fail};
use crate::selection;
use crate::talk;

/// What stands in every answer.
const NO_RECORD: &str =
    "your own network: no record of a specification; it cannot be signed, scored or compared with one";

/// What one device did.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Generated {
    device: String,
    name: String,
    ids: Vec<u32>,
    /// From the prompt to the first id.
    first_ns: u64,
    /// Of each token after the first.
    token_ns: Vec<u64>,
    median_token_ns: Option<u64>,
    /// The same by the device's own clock, the first token's before the others.
    device_ns: Vec<u64>,
    tokens_per_second: Option<f64>,
}

pub(super) fn run(args: &cli::Generate, quiet: bool) -> Done {
    if !matches!(args.format, Format::Text | Format::Json) {
        return Err(fail!(
            Usage,
            "what was generated is shown as text or json, not {:?}",
            args.format
        ));
    }
    let checkpoint = Checkpoint::open(&args.model).map_err(failure)?;
    let request = Request {
        prompt: args.prompt_ids.clone(),
        tokens: args.tokens,
        weights: match args.weights {
            cli::Weights::F16 => Weights::F16,
            cli::Weights::Q4 => Weights::Q4,
        },
    };
    let network = Network::new(&checkpoint, request.clone()).map_err(failure)?;
    let (_, devices) = selection::devices(&args.devices)?;
    let mut all = vec![];
    for device in &devices {
        if !quiet {
            let gigabytes = checkpoint.file_bytes() as f64 / 1e9;
            talk::say(&format!(
                "{}: loading {gigabytes:.2} GB of files",
                device.facts().id
            ));
        }
        let mut session = network.load(device.as_ref()).map_err(failure)?;
        all.push(generated(device.as_ref(), &mut session, request.tokens)?);
    }
    match args.format {
        Format::Json => answer::json(&json!({
            "note": NO_RECORD,
            "model": checkpoint.sizes().into_iter().map(|(name, size)| (name.to_owned(), size.into())).collect::<Map<String, Value>>(),
            "weights": request.weights.as_str(),
            "promptIds": request.prompt,
            "devices": all,
        })),
        _ => answer::print(&text(&checkpoint, &request, &all)),
    }
}

/// Both phases once to warm up, then the whole text.
fn generated(device: &dyn Device, session: &mut Session<'_>, tokens: usize) -> Done<Generated> {
    session.prefill().map_err(failure)?;
    session.decode().map_err(failure)?;
    let mut made = vec![session.prefill().map_err(failure)?];
    while made.len() < tokens {
        made.push(session.decode().map_err(failure)?);
    }
    let host = |tokens: &[Token]| tokens.iter().map(|token| token.host_ns).collect::<Vec<u64>>();
    let (first, after) = made.split_first().expect("a token");
    let token_ns = host(after);
    let median = median(&token_ns);
    Ok(Generated {
        device: device.facts().id.clone(),
        name: device.facts().name.clone(),
        ids: made.iter().map(|token| token.id).collect(),
        first_ns: first.host_ns,
        median_token_ns: median,
        tokens_per_second: median.map(|ns| 1e9 / ns.max(1) as f64),
        token_ns,
        device_ns: made.iter().map(|token| token.device_ns).collect(),
    })
}

fn median(samples: &[u64]) -> Option<u64> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(sorted[middle - 1].midpoint(sorted[middle])),
    }
}

fn text(checkpoint: &Checkpoint, request: &Request, all: &[Generated]) -> String {
    let sizes = checkpoint
        .sizes()
        .map(|(name, size)| format!("{name} {size}"))
        .join(", ");
    let mut text = format!(
        "{sizes}\n{} weights, a prompt of {} tokens\n{NO_RECORD}\n",
        request.weights.as_str(),
        request.prompt.len()
    );
    let milliseconds = |ns: u64| format!("{:.3} ms", ns as f64 / 1e6);
    for one in all {
        let ids: Vec<String> = one.ids.iter().map(u32::to_string).collect();
        text += &format!(
            "\n{} {}\n  ids             {}\n",
            one.device,
            one.name,
            ids.join(",")
        );
        text += &format!("  first token     {}\n", milliseconds(one.first_ns));
        if let (Some(median), Some(rate)) = (one.median_token_ns, one.tokens_per_second) {
            let samples: Vec<String> = one
                .token_ns
                .iter()
                .map(|ns| format!("{:.3}", *ns as f64 / 1e6))
                .collect();
            text += &format!("  a token         {} (median)\n", milliseconds(median));
            text += &format!("  tokens a second {rate:.1}\n");
            text += &format!("  samples in ms   {}\n", samples.join(" "));
        }
    }
    text
}

fn failure(error: GenerateError) -> Failure {
    let hint = error.hint();
    let outcome = match &error {
        error if error.is_io() => Outcome::Io,
        error if error.is_device() => Outcome::Unfit,
        _ => Outcome::Usage,
    };
    Failure::new(outcome, error).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_or_between_the_middle_two() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7]), Some(7));
        assert_eq!(median(&[9, 1, 5]), Some(5));
        assert_eq!(median(&[4, 1, 9, 6]), Some(5));
    }
}
