//! Which workloads of a suite are wanted.

use crate::exit::{Done, fail};
use crate::suite::{Member, Suite};

/// Workloads by the beginnings of their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Only these; empty for all.
    pub only: Vec<String>,
    /// Not these, though they were wanted.
    pub skip: Vec<String>,
}

impl Choice {
    pub(crate) fn is_everything(&self) -> bool {
        self.only.is_empty() && self.skip.is_empty()
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
        Ok(cases)
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
