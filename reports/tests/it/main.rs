//! Reports as their readers get them.

mod compare;
mod html;
mod page;
mod sample;
mod table;
