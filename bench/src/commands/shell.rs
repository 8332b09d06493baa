//! `hallmark schema`, `completions` and `man`: what other programs and shells want to know.

use clap::CommandFactory as _;

use crate::answer;
use crate::cli::{Cli, Document};
use crate::exit::{Done, OrFail as _, Outcome};

pub(super) fn schema(document: Document) -> Done {
    match document {
        Document::Statement => answer::json(&attest::schema::statement()),
        Document::Run => answer::json(&attest::schema::run()),
        Document::Openapi => answer::json(&registry::openapi()),
    }
}

pub(super) fn completions(shell: clap_complete::Shell) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hallmark", &mut script);
    answer::print(&String::from_utf8_lossy(&script))
}

pub(super) fn man() -> Done {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut page)
        .or_fail(Outcome::Io)?;
    answer::print(&String::from_utf8_lossy(&page))
}
