//! `hallmark devices`: what is here, and what it cannot do and why.

use std::collections::BTreeMap;

use attest::statement::{Device as Facts, DeviceKind, PathClass};
use kernels::device::{Absent, Device, Discovery};
use serde::Serialize;

use crate::answer;
use crate::cli::Format;
use crate::commands::measure::unit_bytes;
use crate::exit::{Done, fail};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    #[serde(flatten)]
    facts: &'a Facts,
    uuid: &'a str,
    cannot_run: Vec<Refused>,
}

#[derive(Serialize)]
struct Refused {
    workload: &'static str,
    case: &'static str,
    path: PathClass,
    reason: String,
}

#[derive(Serialize)]
struct Missing<'a> {
    api: &'a str,
    reason: &'a str,
    hint: &'a str,
}

pub(super) fn run(format: Format) -> Done {
    let Discovery { devices, absent } = kernels::device::discover();
    let listed: Vec<Listed<'_>> = devices.iter().map(|device| list(&**device)).collect();
    match format {
        Format::Text => answer::print(&text(&listed, &absent)),
        Format::Json => answer::json(&serde_json::json!({
            "devices": listed,
            "absent": absent.iter().map(missing).collect::<Vec<_>>(),
        })),
        other => Err(fail!(Usage, "devices are listed as text or json, not {other:?}")),
    }
}

fn missing(absent: &Absent) -> Missing<'_> {
    Missing {
        api: absent.api.as_str(),
        reason: &absent.reason,
        hint: &absent.hint,
    }
}

fn list(device: &dyn Device) -> Listed<'_> {
    let cases = kernels::catalogue::WORKLOADS
        .iter()
        .flat_map(|workload| workload.spec.cases.iter().map(move |case| (*workload, case)))
        .flat_map(|(workload, case)| {
            { workload.paths().into_iter() }.map(move |path| (workload, case, path))
        });
    let cannot_run = cases
        .filter_map(|(workload, case, path)| {
            let reason = device.refusal(workload, path, &case.dims, 1)?;
            Some(Refused {
                workload: &workload.spec.id,
                case: &case.name,
                path,
                reason,
            })
        })
        .collect();
    Listed {
        facts: device.facts(),
        uuid: device.uuid(),
        cannot_run,
    }
}

fn text(listed: &[Listed<'_>], absent: &[Absent]) -> String {
    let mut rows = vec![
        ["DEVICE", "KIND", "NAME", "MEMORY", "DRIVER"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(listed.iter().map(|device| {
        let facts = device.facts;
        let driver = format!("{} {}", facts.driver.name, facts.driver.version);
        vec![
            facts.id.clone(),
            kind(facts.kind).into(),
            facts.name.clone(),
            unit_bytes(facts.memory_bytes),
            driver,
        ]
    }));
    let mut text = answer::columns(&rows);
    for device in listed {
        text += &format!("\n\n{}: {}", device.facts.id, device.facts.features.join(" "));
        let (portable, other): (Vec<&Refused>, Vec<&Refused>) =
            { device.cannot_run.iter() }.partition(|refused| refused.path == PathClass::Portable);
        for refused in portable {
            text += &format!(
                "\n  cannot run {} {}: {}",
                refused.workload, refused.case, refused.reason
            );
        }
        text += &without_path(&other);
    }
    for absent in absent {
        text += &format!(
            "\n\nno {}: {}\n  {}",
            absent.api.as_str(),
            absent.reason,
            absent.hint
        );
    }
    text
}

/// A line for each path and reason, with the workloads that it keeps from running on that path.
fn without_path(refused: &[&Refused]) -> String {
    let mut workloads: BTreeMap<(PathClass, &str), Vec<&str>> = BTreeMap::new();
    for refused in refused {
        let named = workloads.entry((refused.path, &refused.reason)).or_default();
        if !named.contains(&refused.workload) {
            named.push(refused.workload);
        }
    }
    let line = |((path, reason), named): (&(PathClass, &str), &Vec<&str>)| {
        format!("\n  no {} {}: {reason}", path.as_str(), named.join(", "))
    };
    workloads.iter().map(line).collect()
}

pub(super) fn kind(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Gpu => "gpu",
        DeviceKind::Cpu => "cpu",
        DeviceKind::Software => "software",
    }
}
