//! Reports as their readers get them.

mod compare;
mod sample;
mod table;
