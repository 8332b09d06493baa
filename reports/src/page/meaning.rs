//! What an attestation proves, given its evidence, and what it does not.

use attest::statement::{DeviceKind, Evidence};

use crate::plain::html as esc;
use crate::table::{proofs, rows};
use crate::{Shown, Verdict, words};

/// Two lists; a claim stands in the first only as far as the checks were made.
pub(super) fn of(one: &Shown<'_>) -> String {
    let list = |title: &str, class: &str, items: Vec<String>| {
        let items: String = items.iter().map(|item| format!("<li>{item}</li>\n")).collect();
        format!("<div>\n<h3>{title}</h3>\n<ul class=\"{class}\">\n{items}</ul>\n</div>\n")
    };
    format!(
        "<div class=\"pair\">\n{}{}</div>\n{}",
        list("By the checks above", "proves", proven(one)),
        list("Not proven", "open", unproven(one)),
        levels(one),
    )
}

fn proven(one: &Shown<'_>) -> Vec<String> {
    if one.checks.is_empty() {
        return vec!["Nothing yet: no check was made.".to_owned()];
    }
    if one.checks.iter().any(|check| check.verdict == Verdict::Failed) {
        return vec!["Nothing: a check failed.".to_owned()];
    }
    let predicate = &one.statement.predicate;
    let mut items = vec![
        "The holder of the key above signed exactly this statement; nobody changed a byte since.".to_owned(),
        "Every median and interval follows from the samples, every rate from the published counts."
            .to_owned(),
        "The statement says which device code ran, byte for byte, and how right its outputs were.".to_owned(),
    ];
    let timed = proofs(std::slice::from_ref(one));
    if timed.iter().any(|proof| proof.support == Evidence::Timed) {
        items.push(
            "The rates under <em>Proven</em> were reached, on the registry’s clock, by whoever holds the key.".to_owned(),
        );
    }
    if let Some(log) = &one.log {
        items.push(format!(
            "It is leaf {} of the log {}: it cannot be withdrawn or replaced unseen.",
            log.index,
            esc(&log.origin)
        ));
    }
    if let Some(freshness) = &predicate.freshness {
        items.push(format!(
            "It was not signed before the log {} had {} leaves.",
            esc(&freshness.origin),
            freshness.tree_size
        ));
    }
    if predicate.attempt.is_some() {
        items.push(
            "The run was announced to the log before it began, so it is no hidden best of many.".to_owned(),
        );
    }
    items
}

fn unproven(one: &Shown<'_>) -> Vec<String> {
    let measured = &one.statement.predicate.measured;
    let stated = &one.statement.predicate.proofs;
    let mut items = vec![
        "What the device <em>is</em>. Names, drivers and timers come from the provider’s machine: it performs as \
         measured, it need not be what it is called."
            .to_owned(),
        "That the machine will do the same tomorrow, or for you.".to_owned(),
    ];
    let claimed = rows(std::slice::from_ref(one))
        .iter()
        .any(|row| row.evidence == Evidence::Claimed);
    if claimed {
        items.push(
            "That records marked <em>claimed</em> were measured at all: the provider chose the seed and kept the clock."
                .to_owned(),
        );
    }
    if one.statement.predicate.attempt.is_none() {
        items.push("That this was the only run: no attempt was announced before it.".to_owned());
    }
    if !stated.is_empty() {
        items.push(
            "That the proven work was done on this machine: it may have been sent to another one in time."
                .to_owned(),
        );
    }
    if one.log.is_none() {
        items.push("That others see the same statement: it stands in no log.".to_owned());
    }
    if measured
        .devices
        .iter()
        .any(|device| device.kind == DeviceKind::Software)
    {
        items.push("Anything about a GPU, where a device is marked software.".to_owned());
    }
    items
}

fn levels(one: &Shown<'_>) -> String {
    let one = std::slice::from_ref(one);
    let (records, proofs) = (rows(one), proofs(one));
    let line = |(level, meaning): (Evidence, &str)| {
        let records = records.iter().filter(|row| row.evidence == level).count();
        let count = records + proofs.iter().filter(|row| row.support == level).count();
        format!(
            "<tr><th scope=\"row\">{}</th><td>{meaning}</td><td class=\"number\">{count}</td></tr>\n",
            words::evidence(level)
        )
    };
    let lines = [
        (Evidence::Claimed, "Signed by the provider only."),
        (
            Evidence::Challenged,
            "The seed was the registry’s and the outputs were checked.",
        ),
        (Evidence::Timed, "The registry’s own clock bounds it."),
        (Evidence::Rooted, "A hardware quote backs it."),
    ]
    .map(line);
    format!(
        "<div class=\"scroll\"><table class=\"levels\">\n<caption>Levels of evidence, weakest first</caption>\n<thead><tr><th scope=\"col\">Level</th>\
         <th scope=\"col\">Meaning</th><th scope=\"col\" class=\"number\">Records and proofs</th></tr></thead>\n<tbody>\n{}</tbody>\n</table></div>\n",
        lines.concat()
    )
}
