//! Reports as their readers get them.

mod compare;
mod html;
mod page;
mod proofs;
mod sample;
mod table;
