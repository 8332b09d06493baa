//! One row per record, as Markdown, JSON and CSV.
//!
//! # JSON
//!
//! One object, UTF-8, two spaces of indent. Fields are only ever added; readers ignore unknown ones. Integers past
//! 2^53-1 are decimal strings, as in the statement.
//!
//! | field | meaning |
//! |---|---|
//! | `format` | [`JSON_FORMAT`] |
//! | `attestations[]` | `digest`, `keyId`, `tool`, `suite`, `measurementStartedAt`, `measurementFinishedAt`, `sessions[]` of a resumed run, `checks[]` {`name`, `verdict`: `passed` `failed` `notChecked`, `detail`}, `log` {`origin`, `index`, `treeSize`} |
//! | `rows[]` | one per record, in the statement's order |
//! | `rows[].attestation` | digest of the attestation it comes from |
//! | `rows[].device` | `index`, `id`, `api`, `kind`, `name`, and `software`: true for a graphics API on a processor |
//! | `rows[].workload` `specDigest` `case` `size` `dims` `path` `cache` | what ran; `cache` is absent without samples |
//! | `rows[].seed` | seed of the inputs |
//! | `rows[].status` `reason` `caveats[]` | as in the statement |
//! | `rows[].evidence` | `challenged` when a verdict of the registry bears out the seed and the outputs were recomputed; else as in the statement |
//! | `rows[].implausible` | why the figures cannot be true, given what was proven of the device |
//! | `rows[].mode` | `sustained`; absent for a burst |
//! | `rows[].throttledSamples` | samples at whose end a throttle was seen; absent where the system does not tell |
//! | `rows[].limits[]` | what held the device's clock without being a fault, such as `swPowerCap`; absent when nothing did |
//! | `rows[].figures` | recomputed from the samples: `samples`, `launchesPerSample`, `timePs` {`median`, `low`, `high`} of one launch, `throughput` {`unit`: `FLOP/s` `OP/s` `B/s` `mtoken/s`, `median`, `low`, `high`}, `energyMicrojoules` of one launch, `energyFemtojoulesPerUnit` of one operation, byte or thousandth of a token |
//! | `rows[].noFigures` | why `figures` is absent |
//! | `rows[].quality` | as in the statement |
//! | `proofs[]` | `attestation`, `device`, `verdict`, `logIndex`, `workload` with its parameters, `proven` {`units`, `elapsedNs`, `rate`, `residentBytes`, `lanesOpened`, `missedPpb`}, `support`: `timed` when the verdict bears it out, `because` |
//! | `imported[]` | files of [`imported`](crate::imported) figures as they are; absent without |
//!
//! `low` and `high` bound the median with 95 % confidence.
//!
//! # CSV
//!
//! RFC 4180 with a header line. The columns are [`CSV_COLUMNS`]; times are picoseconds of one launch, throughput is in
//! whole `throughput_unit`s. Text a spreadsheet would take for a formula is led by an apostrophe.

mod csv;
mod json;
mod markdown;
mod proofs;
mod row;

pub use csv::{CSV_COLUMNS, csv};
pub use json::{JSON_FORMAT, json, json_with_imported};
pub use markdown::markdown;
pub use proofs::{ProofRow, proofs, rate};
pub use row::{DeviceRef, Row, rows};
pub(crate) use row::{any_energy, quality_text, short};
