//! What the server says while it runs: one JSON object a line on stderr. Never bodies, keys or query values.

use std::io::Write as _;

use serde_json::{Map, Value};

/// Writes an event with its fields.
pub(crate) fn event(name: &str, fields: &[(&str, &str)]) {
    let fields = fields
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Value::from(*value)));
    record(name, fields);
}

/// Writes an event with fields of any type.
pub(crate) fn record(name: &str, fields: impl IntoIterator<Item = (String, Value)>) {
    let mut line = Map::new();
    line.insert("time".to_owned(), jiff::Timestamp::now().to_string().into());
    line.insert("event".to_owned(), name.into());
    line.extend(fields);
    let mut text = Value::Object(line).to_string();
    text.push('\n');
    // Nothing is lost that a client was promised when nobody reads the diary.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
