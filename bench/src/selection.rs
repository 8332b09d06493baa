//! Which devices, workloads and seed a command line asks for.

use attest::digest::Sha256;
use kernels::device::Discovery;

use crate::choice::Choice;
use crate::cli;
use crate::exit::{Done, Failure, Outcome, fail};
use crate::prove::{Devices, Host};
use crate::resume::Earlier;
use crate::runner::Plan;
use crate::suite::{SUITES, Suite};

/// Turns the command line's selection into a plan. Beside it stand all devices of this machine.
pub(crate) fn plan(selection: &cli::Selection, quiet: bool) -> Done<(Plan, Host)> {
    let timed = selection.budget.is_some() || selection.time_budget.is_some();
    if selection.mode == cli::Mode::Sustained && timed {
        return Err(fail!(
            Usage,
            "--mode sustained samples each record for a minute or more, whatever the budget"
        )
        .hint("leave --budget and --time-budget out, or choose fewer workloads with --only"));
    }
    let (host, devices) = devices(&selection.devices)?;
    let plan = Plan {
        suite: suite(&selection.suite)?,
        seed: seed(selection.seed.as_deref())?,
        devices,
        choice: Choice {
            only: selection.only.clone(),
            skip: selection.skip.clone(),
            paths: selection.paths.iter().map(|&path| path.into()).collect(),
        },
        mode: selection.mode.into(),
        budget: selection.budget,
        time_budget: selection.time_budget,
        earlier: Earlier::default(),
        quiet,
    };
    Ok((plan, host))
}

pub(crate) fn suite(name: &str) -> Done<&'static Suite> {
    Suite::find(name).ok_or_else(|| {
        let known: Vec<String> = SUITES
            .iter()
            .map(|suite| format!("{} ({})", suite.name, suite.about))
            .collect();
        fail!(Usage, "there is no suite {name:?}").hint(format!("choose one of: {}", known.join(", ")))
    })
}

fn seed(hex: Option<&str>) -> Done<Sha256> {
    match hex {
        None => Ok(Sha256(attest::exact::PUBLIC_SEED)),
        Some(hex) => Sha256::from_hex(hex).map_err(|error| Failure::new(Outcome::Usage, error)),
    }
}

/// All devices of this machine by name, and those that match a selector; without selectors, all. A selector that matches
/// none is an error that says why.
pub(crate) fn devices(selectors: &[String]) -> Done<(Host, Devices)> {
    let found = kernels::device::discover();
    let host = Host::of(&found.devices);
    Ok((host, matching(found, selectors)?))
}

fn matching(found: Discovery, selectors: &[String]) -> Done<Devices> {
    let Discovery { devices, absent } = found;
    let matches = |selector: &String, id: &str| id == selector || id.split(':').next() == Some(selector);
    for selector in selectors {
        if !devices.iter().any(|device| matches(selector, &device.facts().id)) {
            let here: Vec<&str> = devices.iter().map(|device| &*device.facts().id).collect();
            let why = absent
                .iter()
                .find(|absent| selector.split(':').next() == Some(absent.api.as_str()));
            let hint = why.map_or_else(
                || format!("here are {}", here.join(", ")),
                |absent| format!("{}; {}; here are {}", absent.reason, absent.hint, here.join(", ")),
            );
            return Err(fail!(Unfit, "there is no device {selector:?}").hint(hint));
        }
    }
    let chosen = |id: &str| selectors.is_empty() || selectors.iter().any(|selector| matches(selector, id));
    Ok(devices
        .into_iter()
        .filter(|device| chosen(&device.facts().id))
        .collect())
}
