//! JSON Schemas (draft 2020-12) of the documents people write readers for, drawn from the types themselves.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};
use serde_json::Value;

use crate::digest::Sha256;
use crate::run::Run;
use crate::statement::{Count, Statement};

/// Schema of the signed statement.
pub fn statement() -> Value {
    schema_for!(Statement).to_value()
}

/// Schema of the run file.
pub fn run() -> Value {
    schema_for!(Run).to_value()
}

impl JsonSchema for Sha256 {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Sha256".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

impl JsonSchema for Count {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A JSON number up to 2^53-1, a decimal string above.",
            "oneOf": [
                { "type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64 },
                { "type": "string", "pattern": "^[1-9][0-9]{15,19}$" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_a_record_is_described() {
        let schema = statement();
        let record = &schema["$defs"]["Record"]["properties"];
        for field in ["workload", "specDigest", "samplesNs", "quality", "caveats"] {
            let known = if field == "samplesNs" {
                &schema["$defs"]["Timing"]["properties"]
            } else {
                record
            };
            assert!(known.get(field).is_some(), "{field} is missing");
        }
        assert_eq!(
            schema["$defs"]["Record"]["properties"]["specDigest"]["$ref"],
            "#/$defs/Sha256"
        );
    }
}
