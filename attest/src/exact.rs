//! Exact numerics: random streams, exact matrix products and the two proofs, bit for bit the same on every device.
