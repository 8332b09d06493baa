//! `hallmark workloads`: the catalogue with its cases, costs and spec digests.

use kernels::catalogue::WORKLOADS;
use kernels::workload::Workload;
use serde_json::json;

use crate::answer;
use crate::cli::Format;
use crate::exit::{Done, fail};
use crate::suite::spec_digest;

pub(super) fn run(format: Format) -> Done {
    match format {
        Format::Text => answer::print(&answer::columns(&rows())),
        Format::Json => {
            let entry = |workload: &&Workload| {
                let spec = &**workload.spec;
                json!({"spec": spec, "specDigest": spec_digest(spec), "paths": workload.paths()})
            };
            answer::json(&WORKLOADS.iter().map(entry).collect::<Vec<_>>())
        }
        other => Err(fail!(
            Usage,
            "workloads are listed as text or json, not {other:?}"
        )),
    }
}

fn rows() -> Vec<Vec<String>> {
    let mut rows = vec![
        ["WORKLOAD", "CLASS", "CACHE", "PATHS", "CASES", "SPEC DIGEST", ""]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(WORKLOADS.iter().map(|workload| {
        let spec = &**workload.spec;
        let paths: Vec<&str> = workload.paths().iter().map(|path| path.as_str()).collect();
        let cases: Vec<String> = spec
            .cases
            .iter()
            .map(|case| format!("{:?}:{}", case.size, case.name).to_lowercase())
            .collect();
        vec![
            spec.id.clone(),
            format!("{:?}", spec.class).to_lowercase(),
            format!("{:?}", spec.cache).to_lowercase(),
            paths.join(" "),
            cases.join(" "),
            spec_digest(spec).to_string()[..16].to_owned(),
            spec.title.clone(),
        ]
    }));
    rows
}
