//! `hallmark workloads`: the catalogue with its cases, costs and spec digests.

use attest::spec::Spec;
use serde_json::json;

use crate::answer;
use crate::cli::Format;
use crate::exit::{Done, fail};
use crate::suite::spec_digest;

pub(super) fn run(format: Format) -> Done {
    let specs = kernels::catalogue::WORKLOADS
        .iter()
        .map(|workload| &**workload.spec);
    match format {
        Format::Text => answer::print(&answer::columns(&rows(specs))),
        Format::Json => answer::json(
            &specs
                .map(|spec| json!({"spec": spec, "specDigest": spec_digest(spec)}))
                .collect::<Vec<_>>(),
        ),
        other => Err(fail!(
            Usage,
            "workloads are listed as text or json, not {other:?}"
        )),
    }
}

fn rows<'a>(specs: impl Iterator<Item = &'a Spec>) -> Vec<Vec<String>> {
    let mut rows = vec![
        ["WORKLOAD", "CLASS", "CACHE", "CASES", "SPEC DIGEST", ""]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(specs.map(|spec| {
        let cases: Vec<String> = spec
            .cases
            .iter()
            .map(|case| format!("{:?}:{}", case.size, case.name).to_lowercase())
            .collect();
        vec![
            spec.id.clone(),
            format!("{:?}", spec.class).to_lowercase(),
            format!("{:?}", spec.cache).to_lowercase(),
            cases.join(" "),
            spec_digest(spec).to_string()[..16].to_owned(),
            spec.title.clone(),
        ]
    }));
    rows
}
