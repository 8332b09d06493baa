//! `hallmark prove`: attempts on the registry's clock, and the papers of each.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::{self, Format, ProofChoice};
use crate::config::Config;
use crate::exit::{Done, fail};
use crate::prove::campaign::{Campaign, Kept};
use crate::prove::{Proof, Proved, Registrar, shown};
use crate::{answer, files, interrupt, selection, signer, talk};

pub(super) fn run(args: &cli::Prove, config: &Config, quiet: bool) -> Done {
    interrupt::listen();
    text_or_json(args.format)?;
    let (host, devices) = selection::devices(&args.devices)?;
    let registrar = registrar(&args.registry, &args.key, config, quiet)?;
    let folder = args.out.clone().unwrap_or_else(|| by_time(config, "proofs"));
    files::make_folder(&folder)?;
    let campaign = Campaign {
        registrar: &registrar,
        host: &host,
        proofs: proofs(args.proving.proof),
        target: args.proving.target,
        folder: &folder,
    };
    let (kept, _) = campaign.run(devices)?;
    print(args.format, &kept)?;
    verdict(&kept)
}

pub(super) fn proofs(choice: ProofChoice) -> &'static [Proof] {
    match choice {
        ProofChoice::Mlp => &[Proof::Mlp],
        ProofChoice::Vram => &[Proof::Vram],
        ProofChoice::All => &Proof::ALL,
    }
}

pub(super) fn text_or_json(format: Format) -> Done {
    match format {
        Format::Text | Format::Json => Ok(()),
        other => Err(fail!(Usage, "a proof is shown as text or json, not {other:?}")),
    }
}

/// Client, trusted root and key; the key is made where none is.
pub(super) fn registrar(
    registry: &cli::Registry,
    key: &cli::Key,
    config: &Config,
    quiet: bool,
) -> Done<Registrar> {
    let (client, root) = super::registry::client(registry, config)?;
    Ok(Registrar {
        client,
        root,
        key: signer::open_or_make(key, config)?,
        quiet,
    })
}

/// A folder of its own in the data folder.
pub(super) fn by_time(config: &Config, kind: &str) -> PathBuf {
    let name = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    config.data().join(kind).join(name)
}

fn print(format: Format, kept: &[Kept]) -> Done {
    if format == Format::Json {
        return answer::json(&json!({ "attempts": kept.iter().map(as_json).collect::<Vec<_>>() }));
    }
    let proved: Vec<&Proved> = kept.iter().map(|kept| &kept.proved).collect();
    answer::print(&shown::text(&proved))?;
    for kept in kept {
        talk::say(&format!("  {}", kept.transcript.display()));
        talk::say(&format!("  {}", kept.verdict.display()));
    }
    Ok(())
}

pub(super) fn as_json(kept: &Kept) -> serde_json::Value {
    let mut shown = shown::json(&kept.proved);
    shown["files"] = json!({ "transcript": kept.transcript, "verdict": kept.verdict });
    shown
}

/// An attempt that proved nothing ends the program with its code, after every paper was written.
pub(super) fn verdict(kept: &[Kept]) -> Done {
    let unproven = kept.iter().find_map(|kept| {
        let verdict = &kept.proved.judged.verdict.predicate;
        Some((kept.proved.attempt_index, shown::unproven(verdict)?))
    });
    match unproven {
        None => Ok(()),
        Some((attempt, reason)) => Err(fail!(VerdictBad, "attempt {attempt} proved nothing: {reason}")
            .hint("its transcript says what was opened; hallmark verify --transcript recomputes it")),
    }
}
