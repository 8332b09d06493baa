//! Which workloads of a suite are wanted.

use attest::spec::Case;
use attest::statement::PathClass;
use kernels::device::Device;
use kernels::workload::Workload;

use crate::exit::{Done, fail};
use crate::suite::{Member, Suite};

/// Workloads by the beginnings of their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Only these; empty for all.
    pub only: Vec<String>,
    /// Not these, though they were wanted.
    pub skip: Vec<String>,
    /// Only on these paths; empty for the portable one and what else each device has.
    pub paths: Vec<PathClass>,
}

impl Choice {
    /// Whether whole suites are wanted. A suite is its cases on the portable path; others stand beside them.
    pub(crate) fn is_whole(&self) -> bool {
        let portable = self.paths.is_empty() || self.paths.contains(&PathClass::Portable);
        self.only.is_empty() && self.skip.is_empty() && portable
    }

    fn takes(&self, id: &str) -> bool {
        let listed = |prefixes: &[String]| prefixes.iter().any(|prefix| id.starts_with(prefix.as_str()));
        (self.only.is_empty() || listed(&self.only)) && !listed(&self.skip)
    }

    /// Cases of `suite` that are wanted, in its order. A beginning that no workload has is a mistake.
    pub(crate) fn of(&self, suite: &Suite) -> Done<Vec<Member>> {
        let mut cases = suite.cases();
        for (flag, prefix) in [("--only", &self.only), ("--skip", &self.skip)]
            .into_iter()
            .flat_map(|(flag, prefixes)| prefixes.iter().map(move |prefix| (flag, prefix)))
        {
            let known = |(workload, _): &Member| workload.spec.id.starts_with(prefix.as_str());
            if !cases.iter().any(known) {
                return Err(fail!(
                    Usage,
                    "{flag} {prefix}: no workload of suite {} starts with {prefix:?}",
                    suite.name
                )
                .hint("hallmark workloads lists them"));
            }
        }
        cases.retain(|(workload, _)| self.takes(&workload.spec.id));
        if cases.is_empty() {
            return Err(
                fail!(Usage, "--skip leaves nothing of suite {} to measure", suite.name)
                    .hint("hallmark workloads lists them"),
            );
        }
        cases.retain(|(workload, _)| self.wanted(workload).next().is_some());
        if cases.is_empty() {
            let paths: Vec<&str> = self.paths.iter().map(|path| path.as_str()).collect();
            return Err(fail!(
                Usage,
                "--path {}: no workload that is left of suite {} has such a path",
                paths.join(","),
                suite.name
            )
            .hint("hallmark workloads lists the paths of each"));
        }
        Ok(cases)
    }

    /// Paths of the workload that were asked for, or all that it has.
    fn wanted(&self, workload: &Workload) -> impl Iterator<Item = PathClass> {
        let asked = |path: &PathClass| self.paths.is_empty() || self.paths.contains(path);
        workload.paths().into_iter().filter(asked)
    }

    /// The paths of a case on a device. One that was asked for by name is there though the device cannot run it, and so is
    /// the portable one: their records say why.
    pub(crate) fn paths_on(&self, workload: &Workload, case: &Case, device: &dyn Device) -> Vec<PathClass> {
        let has = |path: &PathClass| {
            let named = !self.paths.is_empty() || *path == PathClass::Portable;
            named || device.refusal(workload, *path, &case.dims, 1).is_none()
        };
        self.wanted(workload).filter(has).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(only: &[&str], skip: &[&str]) -> Done<Vec<String>> {
        let list = |prefixes: &[&str]| prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
        let choice = Choice {
            only: list(only),
            skip: list(skip),
            paths: Vec::new(),
        };
        let cases = choice.of(Suite::find("smoke").expect("it is listed"))?;
        Ok(cases
            .iter()
            .map(|(workload, _)| workload.spec.id.clone())
            .collect())
    }

    #[test]
    fn skipping_stands_over_choosing() {
        let ids = chosen(&["gemm.i8", "mem."], &["mem.gather"]).expect("workloads");
        assert!(ids.iter().any(|id| id == "gemm.i8.v1") && ids.iter().any(|id| id == "mem.copy.v1"));
        assert!(
            ids.iter()
                .all(|id| id != "mem.gather.v1" && !id.starts_with("softmax"))
        );
        let all = chosen(&[], &[]).expect("workloads").len();
        let rest = chosen(&[], &["gemm"]).expect("workloads").len();
        assert!(0 < rest && rest < all);
    }

    #[test]
    fn suites_are_whole_on_the_portable_path() {
        let whole = |paths: &[PathClass]| {
            let paths = paths.to_vec();
            Choice {
                paths,
                ..Choice::default()
            }
            .is_whole()
        };
        assert!(whole(&[]) && whole(&[PathClass::Tuned, PathClass::Portable]));
        assert!(!whole(&[PathClass::Tuned]));
    }

    #[test]
    fn a_beginning_of_nothing_and_nothing_left_are_mistakes() {
        for (only, skip, words) in [
            (&["gemm", "gemn"][..], &[][..], "--only gemn"),
            (&[], &["memory"], "--skip memory"),
            (&["gemm.i8"], &["gemm"], "nothing"),
        ] {
            let failure = chosen(only, skip).expect_err("a mistake");
            assert!(failure.error.to_string().contains(words), "{failure:?}");
        }
    }
}
