//! Inline SVG figures. Colours are custom properties of [`crate::page::STYLE`], so that a page's light and dark schemes
//! and its printer apply to figures too.

pub(crate) mod bars;
mod canvas;
pub(crate) mod distribution;
pub(crate) mod roofline;
mod scale;
