//! `hallmark spread`: how far the medians of several runs of one machine lie apart.

use std::path::Path;

use reports::Shown;
use reports::spread::{json, spread, text};

use crate::cli::{self, Format};
use crate::config::Config;
use crate::document::{Document, Trusted};
use crate::exit::{Done, Failure, Outcome, fail};
use crate::{answer, talk};

pub(super) fn run(args: &cli::Spread, config: &Config) -> Done {
    let trusted = Trusted::of(&args.believe, config)?;
    let open = |path: &std::path::PathBuf| Document::open(Path::new(path), &trusted);
    let documents: Vec<Document> = args.runs.iter().map(open).collect::<Done<_>>()?;
    let shown: Vec<Shown<'_>> = documents.iter().map(Document::shown).collect();
    let found = spread(&shown).map_err(|error| Failure::new(Outcome::Usage, error))?;
    match args.format {
        Format::Text => answer::print(&text(&found, talk::terminal())),
        Format::Json => answer::print(&json(&found)),
        other => Err(fail!(Usage, "a spread is shown as text or json, not {other:?}")),
    }
}
