//! `hallmark spot-check`: whether this machine still does what a verdict says of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use attest::evidence::LoggedVerdict;
use attest::proof::{Outcome as Judgement, Proven, Verdict, Work};
use attest::statement::{Count, Device as Facts};
use attest::trust::TrustedRoot;
use serde_json::json;

use crate::cli::{self, Format};
use crate::config::Config;
use crate::exit::{Done, fail};
use crate::prove::campaign::{Kept, keep};
use crate::prove::{Devices, Wanted};
use crate::{answer, files, interrupt, selection, talk};

/// Longest work that is repeated: with warming up before and checking after it, the whole stays under half a minute.
const LONGEST: Duration = Duration::from_secs(20);

/// What a verdict says of one device.
struct Certified {
    device: Facts,
    work: Work,
    proven: Proven,
}

/// The same work on a device here.
struct Checked {
    device: String,
    certified: Certified,
    /// Units a second; nothing if nothing was proven.
    rate: Option<u64>,
}

pub(super) fn run(args: &cli::SpotCheck, config: &Config, quiet: bool) -> Done {
    interrupt::listen();
    super::prove::text_or_json(args.format)?;
    let registrar = super::prove::registrar(&args.registry, &args.key, config, quiet)?;
    let verdicts = verdicts(&args.certificate)?;
    let certified = verdicts.iter().map(|path| read(path, &registrar.root));
    let certified = certified.collect::<Done<Vec<_>>>()?;
    let folder = args
        .out
        .clone()
        .unwrap_or_else(|| super::prove::by_time(config, "spot-checks"));
    files::make_folder(&folder)?;
    let (host, mut devices) = selection::devices(&[])?;
    let mut checked = Vec::new();
    let mut kept = Vec::new();
    for (path, tasks) in verdicts.iter().zip(certified) {
        let (mut mine, others) = pick(devices, &tasks)?;
        let wanted: Vec<Wanted> = tasks.iter().map(wanted).collect();
        let proved = registrar.prove(&host, &mut mine, &wanted)?;
        let rates = rates(&proved.judged.verdict.predicate);
        checked.extend(
            tasks
                .into_iter()
                .zip(&mine)
                .zip(rates)
                .map(|((certified, device), rate)| Checked {
                    device: device.facts().id.clone(),
                    certified,
                    rate,
                }),
        );
        kept.push(keep(&folder, &stem(path), proved)?);
        devices = mine.into_iter().chain(others).collect();
    }
    print(args, &checked, &kept)?;
    super::prove::verdict(&kept)?;
    verdict(&checked, args.tolerance)
}

/// The verdicts a path stands for: itself, or those in the folder.
fn verdicts(path: &Path) -> Done<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unread = |error: std::io::Error| fail!(Io, "cannot read {}: {error}", path.display());
    let entries = std::fs::read_dir(path).map_err(unread)?;
    let mut found = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unread)?;
    found.retain(|path| path.to_string_lossy().ends_with(".verdict.json"));
    found.sort();
    if found.is_empty() {
        return Err(fail!(Usage, "there is no *.verdict.json in {}", path.display())
            .hint("hallmark prove and certify write them; name their folder, or a verdict"));
    }
    Ok(found)
}

/// What a verdict proves, once its registry's signature and log proof hold.
fn read(path: &Path, root: &TrustedRoot) -> Done<Vec<Certified>> {
    let name = path.display().to_string();
    let logged = LoggedVerdict::verify(&files::read(path)?, root).map_err(|error| {
        fail!(VerificationFailed, "{name}: {error}")
            .hint("name a verdict, or the folder that hallmark prove or certify left")
    })?;
    let Verdict {
        outcome,
        devices,
        tasks,
        ..
    } = logged.verdict.predicate;
    if outcome != Judgement::Proven {
        return Err(fail!(
            Inconclusive,
            "{name} proves nothing ({outcome:?}), so there is nothing to hold a machine to"
        ));
    }
    let certified = tasks.into_iter().map(|task| {
        let device = devices.get(task.device as usize).cloned();
        let (device, proven) = device
            .zip(task.proven)
            .ok_or_else(|| fail!(VerificationFailed, "{name}: a task without device or proof"))?;
        let took = Duration::from_nanos(proven.elapsed_ns);
        if took > LONGEST {
            return Err(fail!(
                Usage,
                "{name}: {} worked for {} s; a spot check repeats at most {} s",
                device.id,
                took.as_secs(),
                LONGEST.as_secs()
            )
            .hint("ask for a verdict of a shorter --target"));
        }
        Ok(Certified {
            device,
            work: task.work,
            proven,
        })
    });
    certified.collect()
}

/// For each task the first device here of the same API and name that none before took; and those left over.
fn pick(mut devices: Devices, tasks: &[Certified]) -> Done<(Devices, Devices)> {
    let mut mine = Vec::new();
    for task in tasks {
        let (api, name) = (task.device.api, &task.device.name);
        let at = devices
            .iter()
            .position(|device| device.facts().api == api && device.facts().name == *name);
        let Some(at) = at else {
            let here: Vec<String> = devices
                .iter()
                .map(|device| format!("{} {}", device.facts().id, device.facts().name))
                .collect();
            return Err(fail!(
                VerdictBad,
                "the certificate has the {} device {name:?}; this machine has no such device left",
                api.as_str()
            )
            .hint(format!("here are {}", here.join(", "))));
        };
        mine.push(devices.remove(at));
    }
    Ok((mine, devices))
}

fn wanted(certified: &Certified) -> Wanted {
    Wanted::Given {
        work: certified.work,
        took: Duration::from_nanos(certified.proven.elapsed_ns),
    }
}

fn rates(verdict: &Verdict) -> Vec<Option<u64>> {
    let rate = |proven: &Proven| proven.rate.0;
    verdict
        .tasks
        .iter()
        .map(|task| task.proven.as_ref().map(rate))
        .collect()
}

/// `cpu0-mlp` of `cpu0-mlp.verdict.json`.
fn stem(path: &Path) -> String {
    let name = crate::document::file_name(&path.display().to_string());
    name.trim_end_matches(".json")
        .trim_end_matches(".verdict")
        .to_owned()
}

impl Checked {
    /// How much faster than certified, in per cent; slower is negative.
    fn margin(&self) -> Option<f64> {
        let certified = self.certified.proven.rate.0 as f64;
        self.rate.map(|rate| 100.0 * (rate as f64 / certified - 1.0))
    }

    fn passes(&self, tolerance: u8) -> bool {
        self.margin()
            .is_some_and(|margin| margin >= -f64::from(tolerance))
    }

    fn row(&self, tolerance: u8) -> Vec<String> {
        let work = &self.certified.work;
        let rate = |rate: u64| reports::table::rate(work, Count(rate));
        vec![
            self.device.clone(),
            work.workload().to_owned(),
            rate(self.certified.proven.rate.0),
            self.rate.map_or_else(|| "nothing".to_owned(), rate),
            self.margin()
                .map_or_else(String::new, |margin| format!("{margin:+.1} %")),
            if self.passes(tolerance) { "pass" } else { "FAIL" }.to_owned(),
        ]
    }
}

fn print(args: &cli::SpotCheck, checked: &[Checked], kept: &[Kept]) -> Done {
    if args.format == Format::Json {
        let devices = checked.iter().map(|checked| {
            json!({
                "device": checked.device,
                "work": checked.certified.work,
                "certifiedRate": checked.certified.proven.rate,
                "rate": checked.rate,
                "marginPercent": checked.margin(),
                "pass": checked.passes(args.tolerance),
            })
        });
        return answer::json(&json!({
            "pass": checked.iter().all(|checked| checked.passes(args.tolerance)),
            "tolerancePercent": args.tolerance,
            "devices": devices.collect::<Vec<_>>(),
            "attempts": kept.iter().map(super::prove::as_json).collect::<Vec<_>>(),
        }));
    }
    let head = ["DEVICE", "PROOF", "CERTIFIED", "HERE", "DIFFERENCE", "VERDICT"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(checked.iter().map(|checked| checked.row(args.tolerance)));
    answer::print(&answer::columns(&rows))?;
    talk::say(&format!("at most {} % slower passes", args.tolerance));
    Ok(())
}

fn verdict(checked: &[Checked], tolerance: u8) -> Done {
    let failed = checked.iter().find(|checked| !checked.passes(tolerance));
    let Some(failed) = failed else { return Ok(()) };
    Err(fail!(
        VerdictBad,
        "{} is {:.1} % slower than certified; {tolerance} % is tolerated",
        failed.device,
        -failed.margin().unwrap_or(-100.0)
    )
    .hint("a busy machine is slower too: run it again with nothing else on it"))
}
