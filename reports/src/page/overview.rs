//! Who attests what, on which devices, in which setting.

use attest::statement::{Device, Measured};

use super::fragment::{MAX_DEVICES, MAX_LINES, left_out, log_place};
use crate::plain::html as esc;
use crate::units::{count, memory};
use crate::{Shown, words};

/// The facts of each attestation and its devices.
pub(super) fn attestations(shown: &[Shown<'_>]) -> String {
    if shown.is_empty() {
        return "<p class=\"note\">There is no attestation to show.</p>\n".to_owned();
    }
    let of_one = |(index, one): (usize, &Shown<'_>)| {
        let number = if shown.len() > 1 {
            format!(" {}", index + 1)
        } else {
            String::new()
        };
        format!(
            "<section aria-labelledby=\"attestation-{id}\">\n<h2 id=\"attestation-{id}\">Attestation{number}</h2>\n{}{}</section>\n",
            facts(one),
            devices(&one.statement.predicate.measured),
            id = index + 1,
        )
    };
    shown.iter().enumerate().map(of_one).collect()
}

fn facts(one: &Shown<'_>) -> String {
    let measured = &one.statement.predicate.measured;
    let mono = |text: &str| format!("<span class=\"mono\">{}</span>", esc(text));
    let whole = if measured.suite.complete {
        "complete"
    } else {
        "incomplete"
    };
    let entries = [
        ("Digest", mono(&one.digest.to_string())),
        (
            "Signed by key",
            one.key_id
                .map_or_else(|| "nobody yet".to_owned(), |id| mono(&id.to_string())),
        ),
        ("Log", log_place(one.log.as_ref())),
        (
            "Measured",
            format!(
                "{} to {}{}, by the provider’s clock",
                esc(&measured.measurement_started_at),
                esc(&measured.measurement_finished_at),
                match measured.sessions.len() {
                    0 => String::new(),
                    count => format!(" in {count} sessions"),
                }
            ),
        ),
        (
            "Suite",
            format!(
                "{} {}, {whole}",
                esc(&measured.suite.name),
                measured.suite.version
            ),
        ),
        (
            "Tool",
            format!("{} {}", esc(&measured.tool.name), esc(&measured.tool.version)),
        ),
    ];
    let lines = entries.map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"));
    format!("<dl class=\"facts\">\n{}</dl>\n", lines.concat())
}

fn devices(measured: &Measured) -> String {
    let line = |device: &Device| {
        let kind = words::kind(device.kind);
        let software = device.kind == attest::statement::DeviceKind::Software;
        let class = if software { " software" } else { "" };
        let known = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
        format!(
            "<tr><th scope=\"row\">{}</th><td data-name=\"Name\">{}</td><td data-name=\"Kind\"><span class=\"badge{class}\">{kind}</span></td>\
             <td data-name=\"Driver\">{} {}</td><td data-name=\"Memory\" class=\"number\">{}</td><td data-name=\"Units\" class=\"number\">{}</td>\
             <td data-name=\"Cache\" class=\"number\">{}</td></tr>\n",
            esc(&device.id),
            esc(&device.name),
            esc(&device.driver.name),
            esc(&device.driver.version),
            memory(device.memory_bytes),
            known(device.compute_units.map(|units| count(units.into()))),
            known(device.cache_bytes.map(memory)),
        )
    };
    format!(
        "<div class=\"scroll\"><table class=\"records devices\">\n<caption>Devices, as their drivers call themselves</caption>\n\
         <thead><tr><th scope=\"col\">Device</th><th scope=\"col\">Name</th><th scope=\"col\">Kind</th><th scope=\"col\">Driver</th>\
         <th scope=\"col\" class=\"number\">Memory</th><th scope=\"col\" class=\"number\">Units</th>\
         <th scope=\"col\" class=\"number\">Cache</th></tr></thead>\n<tbody>\n{}</tbody>\n</table></div>\n{}",
        measured
            .devices
            .iter()
            .take(MAX_DEVICES)
            .map(line)
            .collect::<String>(),
        left_out(measured.devices.len(), MAX_DEVICES, "devices"),
    )
}

/// The host and the device code that ran.
pub(super) fn setting(one: &Shown<'_>) -> String {
    let measured = &one.statement.predicate.measured;
    let entry =
        |name: &str, value: &str| format!("<div><dt>{}</dt><dd>{}</dd></div>\n", esc(name), esc(value));
    let facts = measured
        .environment
        .iter()
        .take(MAX_LINES)
        .map(|(name, value)| entry(name, value));
    let code = measured.code.iter().take(MAX_LINES).map(|code| {
        format!(
            "<div><dt>{}</dt><dd class=\"mono\">{}</dd></div>\n",
            esc(&code.path),
            code.sha256
        )
    });
    let tool = format!(
        "<div><dt>program</dt><dd class=\"mono\">{}</dd></div>\n",
        measured.tool.digest.sha256
    );
    format!(
        "<h3>Host, as the provider describes it</h3>\n<dl class=\"facts\">\n{}</dl>\n{}\
         <h3>Code that ran, by SHA-256</h3>\n<dl class=\"facts code\">\n{tool}{}</dl>\n{}",
        facts.collect::<String>(),
        left_out(measured.environment.len(), MAX_LINES, "facts"),
        code.collect::<String>(),
        left_out(measured.code.len(), MAX_LINES, "files"),
    )
}
