//! Integration tests of the public interface.

mod hostile;
mod must_fail;
mod properties;
mod sample;
mod vectors;
