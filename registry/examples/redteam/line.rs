//! What became of a cheat, and whether that is what was to be expected.

use std::fmt;

/// A line of the table.
pub(crate) struct Line {
    cheat: String,
    by: String,
    trials: usize,
    caught: usize,
    expected: String,
    holds: bool,
}

impl Line {
    /// Caught at least 999 times in 1,000.
    pub(crate) fn always(cheat: &str, by: &str, trials: usize, caught: usize) -> Self {
        let holds = caught * 1000 >= trials * 999;
        Self::measured(cheat, by, trials, caught, "all".to_owned(), holds)
    }

    /// Caught with this chance, each trial for itself.
    pub(crate) fn share(
        cheat: &str,
        by: &str,
        trials: usize,
        caught: usize,
        chance: f64,
        level: f64,
    ) -> Self {
        let (low, high) = interval(trials, chance, level);
        let expected = format!(
            "{:.3} %: {low} to {high} ({} % interval)",
            chance * 100.0,
            100.0 * (1.0 - level)
        );
        Self::measured(
            cheat,
            by,
            trials,
            caught,
            expected,
            (low..=high).contains(&caught),
        )
    }

    /// Not caught, by design: if it were, what is written about it would be wrong.
    pub(crate) fn never(cheat: &str, by: &str, trials: usize, caught: usize, expected: String) -> Self {
        Self::measured(cheat, by, trials, caught, expected, caught == 0)
    }

    pub(crate) fn measured(
        cheat: &str,
        by: &str,
        trials: usize,
        caught: usize,
        expected: String,
        holds: bool,
    ) -> Self {
        Self {
            cheat: cheat.to_owned(),
            by: by.to_owned(),
            trials,
            caught,
            expected,
            holds,
        }
    }

    pub(crate) fn holds(&self) -> bool {
        self.holds
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {} | {} | {} | {} | {:.1} % | {} | {} |",
            self.cheat,
            self.by,
            self.trials,
            self.caught,
            100.0 * self.caught as f64 / self.trials as f64,
            self.expected,
            if self.holds { "yes" } else { "**NO**" }
        )
    }
}

/// All lines in Markdown.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut text = "| cheat | what answers it | trials | caught | rate | expected | as expected |\n\
                    |---|---|---|---|---|---|---|\n"
        .to_owned();
    for line in lines {
        text += &format!("{line}\n");
    }
    text
}

/// Probability that `opened` lanes of `lanes`, drawn without repetition, miss all of `wrong`: below (1-f)^opened with
/// f = wrong / lanes.
pub(crate) fn missed(lanes: u64, wrong: u64, opened: u64) -> f64 {
    (0..opened)
        .map(|drawn| (lanes - wrong).saturating_sub(drawn) as f64 / (lanes - drawn) as f64)
        .product()
}

/// The counts of a binomial variable that leave at most half of `level` outside on either side, by its exact
/// probabilities.
fn interval(trials: usize, chance: f64, level: f64) -> (usize, usize) {
    let mut odds = Vec::with_capacity(trials + 1);
    let mut choices = 0.0;
    for count in 0..=trials {
        if count > 0 {
            choices += ((trials - count + 1) as f64 / count as f64).ln();
        }
        let part = |share: f64, times: usize| match times {
            0 => 0.0,
            times => times as f64 * share.ln(),
        };
        odds.push((choices + part(chance, count) + part(1.0 - chance, trials - count)).exp());
    }
    let outside = |odds: &mut dyn Iterator<Item = &f64>| {
        let mut sum = 0.0;
        odds.take_while(|odd| {
            sum += **odd;
            sum < level / 2.0
        })
        .count()
    };
    let low = outside(&mut odds.iter());
    let high = trials - outside(&mut odds.iter().rev());
    (low, high)
}
