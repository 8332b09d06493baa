//! `hallmark report`: pages and tables from checked documents.

use std::borrow::Borrow;

use reports::Shown;

use crate::cli::{self, Format};
use crate::config::Config;
use crate::document::{Document, Trusted};
use crate::exit::Done;
use crate::{answer, files, talk};

pub(super) fn run(args: &cli::Report, config: &Config) -> Done {
    let trusted = Trusted::of(&args.believe, config)?;
    let documents = args
        .files
        .iter()
        .map(|file| Document::open(file, &trusted))
        .collect::<Done<Vec<_>>>()?;
    let rendered = render(&documents, args.format);
    match &args.out {
        None => answer::print(&rendered),
        Some(path) => {
            files::write(path, rendered.as_bytes())?;
            talk::say(&format!("wrote {}", path.display()));
            Ok(())
        }
    }
}

/// The documents in one of the formats.
pub(super) fn render<D: Borrow<Document>>(documents: &[D], format: Format) -> String {
    let shown: Vec<Shown<'_>> = documents
        .iter()
        .map(|document| document.borrow().shown())
        .collect();
    match format {
        Format::Html => reports::page::html(&shown),
        Format::Markdown => reports::table::markdown(&shown),
        Format::Json => reports::table::json(&shown),
        Format::Csv => reports::table::csv(&shown),
        Format::Text => reports::text::table(&shown, talk::terminal()),
    }
}
