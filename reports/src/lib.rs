//! Tables, comparisons and pages drawn from Hallmark attestations.
//!
//! Everything here is a pure function of a [`Statement`](attest::statement::Statement) and what a verifier found out
//! about it, wrapped as [`Shown`]. No figure is taken from a statement's summary: medians and intervals are recomputed
//! from the samples ([`attest::stats`]), rates from the recomputed medians. Text inside a statement is written by a
//! stranger, so each writer neutralises what its format would act on: markup in HTML, pipes and links in Markdown,
//! formulas in CSV, escape sequences in a terminal.
//!
//! | module | gives |
//! |---|---|
//! | [`table`] | one row per record; Markdown, JSON (its schema is documented there), CSV |
//! | [`text`] | the same rows for a terminal |
//! | [`compare`] | two statements side by side, and when that is not possible, why |
//! | [`score`] | one number against a named reference, its ratios and weights |
//! | [`spread`] | how far the medians of several runs of one machine lie apart |
//! | [`imported`] | figures of other tools, in a section of their own |
//! | [`page`] | a self-contained HTML page, its stylesheet and its parts |

pub mod compare;
mod figures;
pub mod imported;
pub mod page;
mod plain;
mod plot;
pub mod score;
mod shown;
pub mod spread;
pub mod table;
pub mod text;
mod units;
mod words;

pub use figures::{Figures, Interval, NoFigures, Throughput, Unit};
pub use shown::{Check, LogPlace, Shown, Verdict};
pub use units::{duration, memory, prefixed, resident};
