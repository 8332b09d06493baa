//! `hallmark report`: pages and tables from checked documents.

use std::borrow::Borrow;

use reports::Shown;
use reports::imported::Imported;

use crate::cli::{self, Format};
use crate::config::Config;
use crate::document::{self, Document, Trusted};
use crate::exit::{Done, fail};
use crate::{answer, files, talk};

pub(super) fn run(args: &cli::Report, config: &Config) -> Done {
    let trusted = Trusted::of(&args.believe, config)?;
    let (mut documents, mut imported) = (Vec::new(), Vec::new());
    for file in &args.files {
        match document::imported(file)? {
            Some(figures) => imported.push(figures),
            None => documents.push(Document::open(file, &trusted)?),
        }
    }
    let rendered = with_imported(&documents, &imported, args.format)?;
    match &args.out {
        None => answer::print(&rendered),
        Some(path) => {
            files::write(path, rendered.as_bytes())?;
            talk::say(&format!("wrote {}", path.display()));
            Ok(())
        }
    }
}

/// The documents, and below them what other tools measured.
fn with_imported(documents: &[Document], imported: &[Imported], format: Format) -> Done<String> {
    if imported.is_empty() {
        return Ok(render(documents, format));
    }
    let shown: Vec<Shown<'_>> = documents.iter().map(Document::shown).collect();
    let above = |text: String| {
        if shown.is_empty() {
            String::new()
        } else {
            text + "\n"
        }
    };
    match format {
        Format::Html => Ok(reports::page::with_imported(&shown, imported)),
        Format::Json => Ok(reports::table::json_with_imported(&shown, imported)),
        Format::Markdown => {
            Ok(above(reports::table::markdown(&shown)) + &reports::imported::markdown(imported))
        }
        Format::Text => {
            let terminal = talk::terminal();
            Ok(above(reports::text::table(&shown, terminal)) + &reports::imported::text(imported, terminal))
        }
        Format::Csv => Err(fail!(
            Usage,
            "CSV is one table of records and has no place for imported figures"
        )
        .hint("leave the imported files out, or choose json")),
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
