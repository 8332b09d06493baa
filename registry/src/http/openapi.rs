//! The API description (OpenAPI 3.1), made from the table of routes.

use serde_json::{Map, Value, json};

use super::listing::{DEFAULT_LIMIT, MAX_LIMIT};
use super::problem::{self, Kind};
use super::routes::{self, Operation, Parameter};
use crate::store::sessions::State;

pub(crate) fn document() -> Value {
    let mut paths = Map::new();
    for route in routes::all() {
        let operations: Map<String, Value> = route
            .operations
            .iter()
            .map(|each| (each.method.to_owned(), operation(each)))
            .collect();
        paths.insert(route.path.replace("{*", "{"), operations.into());
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hallmark registry",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "An append-only log of signed compute measurements. Every error is an RFC 9457 problem; every read has a strong ETag. Clients decide by a problem's `type`, not by its text.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {"session": {
                "type": "http",
                "scheme": "bearer",
                "description": "The token that `Hallmark-Session` gave with the attempt.",
            }},
        },
    })
}

fn operation(operation: &Operation) -> Value {
    let mut value = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "responses": responses(operation),
    });
    if !operation.parameters.is_empty() {
        value["parameters"] = operation.parameters.iter().map(parameter).collect();
    }
    if operation.token {
        value["security"] = json!([{"session": []}]);
    }
    if let Some(schema) = operation.body {
        value["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": reference(schema)}},
        });
    }
    value
}

fn parameter(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.about,
        "schema": reference(parameter.schema),
    })
}

fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    for answer in operation.answers {
        let content = match answer.schema {
            Some(schema) => json!({"schema": reference(schema)}),
            None => json!({}),
        };
        responses.insert(
            answer.status.to_string(),
            json!({"description": answer.about, "content": {answer.media_type: content}}),
        );
    }
    for kind in operation.problems {
        let status = kind.status.as_u16().to_string();
        let entry = responses.entry(status).or_insert_with(|| {
            json!({
                "description": "",
                "content": {problem::MEDIA_TYPE: {"schema": reference("Problem")}},
            })
        });
        let so_far = entry["description"].as_str().unwrap_or("").to_owned();
        let separator = if so_far.is_empty() { "" } else { "; " };
        entry["description"] = format!("{so_far}{separator}{}: {}", kind.slug, kind.title).into();
    }
    responses.into()
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn schemas() -> Value {
    let mut schemas = log_schemas();
    if let (Some(all), Value::Object(more)) = (schemas.as_object_mut(), attempt_schemas()) {
        all.extend(more);
    }
    schemas
}

fn attempt_schemas() -> Value {
    let time = || json!({"type": ["string", "null"], "format": "date-time"});
    let base64 = || json!({"type": "string", "contentEncoding": "base64"});
    let task =
        json!({"type": "object", "description": "Workload, its parameters and the index of its device."});
    json!({
        "Index": {"type": "integer", "minimum": 0},
        "Kind": {"enum": ["attestation", "attempt", "verdict", "any"], "default": "attestation"},
        "SignedRoot": object(&["root", "signature"], &json!({"root": reference("Digest"), "signature": base64()})),
        "Started": object(&["nonce", "startedAt"], &json!({"nonce": reference("Digest"), "startedAt": {"type": "string", "format": "date-time"}})),
        "Committed": object(&["elapsedNs"], &json!({"elapsedNs": {"type": "integer", "minimum": 0}})),
        "Samples": object(&["secret", "tasks"], &json!({
            "secret": reference("Digest"),
            "tasks": {"type": "array", "items": {"type": "array", "items": {"type": "integer", "minimum": 0}}},
        })),
        "Openings": object(&["tasks"], &json!({
            "tasks": {"type": "array", "items": {"type": "array", "items": object(&["lane", "state", "path"], &json!({
                "lane": {"type": "integer", "minimum": 0},
                "state": base64(),
                "path": {"type": "array", "items": reference("Digest")},
            }))}},
        })),
        "Transcript": {"type": "object", "description": "urn:hallmark:transcript:v1: request, attempt, session and verdict."},
        "Attempt": object(&["id", "keyId", "state", "times", "limits", "devices", "tasks", "logIndex", "verdict", "links"], &json!({
            "id": reference("Digest"),
            "keyId": reference("Digest"),
            "state": {"enum": State::ALL.map(State::name)},
            "request": reference("Digest"),
            "openedAt": {"type": "string", "format": "date-time"},
            "times": object(&["asked"], &json!({"asked": time(), "opened": time(), "started": time(), "committed": time(), "judged": time()})),
            "limits": object(&["startMs", "commitMs", "openMs"], &json!({"startMs": reference("Index"), "commitMs": reference("Index"), "openMs": reference("Index")})),
            "devices": {"type": "array", "items": {"type": "object"}},
            "tasks": {"type": "array", "items": task},
            "logIndex": {"type": ["integer", "null"]},
            "commitments": {"type": "array", "description": "For each task its root and time, null until it came. Not in lists.", "items": {"type": ["object", "null"], "properties": {"root": reference("Digest"), "elapsedNs": reference("Index")}}},
            "verdict": {"type": ["object", "null"], "description": "Digest, place in the log, outcome, reason, and what each task proves."},
            "links": {"type": "object", "additionalProperties": {"type": "string"}},
        })),
        "Attempts": object(&["tree", "attempts", "next"], &json!({
            "tree": reference("Tree"),
            "attempts": {"type": "array", "items": reference("Attempt")},
            "next": {"type": ["string", "null"], "description": "Cursor of the next page; null at the end."},
        })),
    })
}

fn log_schemas() -> Value {
    let text = || json!({"type": "string"});
    let count = || json!({"type": "integer", "minimum": 0});
    json!({
        "Text": {"type": "string", "minLength": 1},
        "Digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "Limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        "Cursor": {"type": "string", "pattern": "^[0-9]+$", "description": "Opaque: take it from `next`."},
        "Submission": object(&["envelope", "publicKey"], &json!({
            "envelope": reference("Envelope"),
            "publicKey": {"type": "string", "contentEncoding": "base64", "description": "SubjectPublicKeyInfo of a P-256 key in DER."},
        })),
        "Envelope": object(&["payload", "payloadType", "signatures"], &json!({
            "payload": {"type": "string", "contentEncoding": "base64", "description": "An in-toto statement of at most 1 MiB."},
            "payloadType": {"const": attest::dsse::PAYLOAD_TYPE},
            "signatures": {"type": "array", "minItems": 1, "maxItems": 1, "items": object(&["sig"], &json!({
                "sig": {"type": "string", "contentEncoding": "base64", "description": "ECDSA P-256 with SHA-256 over the pre-authentication encoding, ASN.1 DER."},
                "keyid": {"type": "string", "description": "A hint; decides nothing."},
            }))},
        })),
        "Receipt": {"type": "object", "description": "Sigstore bundle v0.3 with public key hint, inclusion proof, checkpoint and envelope."},
        "Tree": object(&["origin", "size", "rootHash"], &json!({"origin": text(), "size": count(), "rootHash": reference("Digest")})),
        "Entry": object(&["digest", "keyId", "logIndex", "treeSize", "acceptedAt"], &entry_properties()),
        "Attestation": {"allOf": [reference("Entry"), object(&["publicKey", "alsoSignedBy", "links", "statement"], &json!({
            "publicKey": {"type": "string", "contentEncoding": "base64"},
            "alsoSignedBy": {"type": "array", "items": reference("Digest")},
            "links": {"type": "object", "additionalProperties": {"type": "string"}},
            "statement": {"type": "object", "description": "The in-toto statement as it was signed."},
        }))]},
        "List": object(&["tree", "attestations", "next"], &json!({
            "tree": reference("Tree"),
            "attestations": {"type": "array", "items": reference("Entry")},
            "next": {"type": ["string", "null"], "description": "Cursor of the next page; null at the end."},
        })),
        "Problem": object(&["type", "title", "status", "detail"], &json!({
            "type": {"enum": problem::KINDS.iter().map(|kind: &&Kind| format!("urn:hallmark:problem:{}", kind.slug)).collect::<Vec<_>>()},
            "title": text(),
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What was wrong with this request."},
        })),
    })
}

fn entry_properties() -> Value {
    json!({
        "kind": {"enum": ["attestation", "attempt", "verdict"]},
        "digest": reference("Digest"),
        "keyId": reference("Digest"),
        "logIndex": {"type": "integer", "minimum": 0},
        "treeSize": {"type": "integer", "minimum": 1, "description": "Size of the checkpoint in the receipt."},
        "acceptedAt": {"type": "string", "format": "date-time", "description": "By the registry's clock; not part of the log."},
        "suite": {"type": "object"},
        "tool": {"type": "object"},
        "measurementStartedAt": {"type": "string"},
        "measurementFinishedAt": {"type": "string"},
        "devices": {"type": "array", "items": object(&["id", "name", "api", "kind"], &json!({
            "id": {"type": "string"},
            "name": {"type": "string"},
            "api": {"enum": ["cpu", "vulkan", "cuda"]},
            "kind": {"enum": ["gpu", "cpu", "software"], "description": "`software` is a graphics API that runs on the processor: no GPU."},
        }))},
        "workloads": {"type": "array", "items": {"type": "string"}},
        "records": {"type": "integer", "minimum": 0},
    })
}

fn object(required: &[&str], properties: &Value) -> Value {
    json!({"type": "object", "required": required, "properties": properties})
}
