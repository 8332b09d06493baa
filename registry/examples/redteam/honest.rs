//! The control: honest sessions, many at once.

use super::line::Line;
use super::{Site, is_proven};

const AT_ONCE: usize = 20;

pub(crate) fn lines(site: &Site, trials: usize) -> Vec<Line> {
    let refused = site.tries(trials, AT_ONCE, |crook| !is_proven(&crook.prove_honestly().1));
    vec![Line::never(
        "honest control: sessions, 20 at once",
        "nothing to answer",
        trials,
        refused,
        "none refused".to_owned(),
    )]
}
