//! Runs that say they were made otherwise than they were: longer, cooler, or in fewer sittings.

use serde_json::{Value, json};

use super::super::Case;
use super::{case, record};

pub(super) fn cases() -> Vec<Case> {
    [modes(), sessions()].concat()
}

fn modes() -> Vec<Case> {
    vec![
        record(
            "sustained-for-a-moment",
            "A burst of samples called sustained: nothing has warmed up yet.",
            0,
            "a sustained record was sampled for 24184215 ns; at least 60000000000 are wanted",
            |record| {
                record["timing"]["mode"] = json!("sustained");
                record["timing"]["stop"] = json!("budget");
            },
        ),
        record(
            "sustained-ended-early",
            "A sustained record that stopped as soon as its median was known.",
            0,
            "it stopped as Converged with an interval of +-1536 ppm over 12 samples",
            |record| record["timing"]["mode"] = json!("sustained"),
        ),
        record(
            "throttle-of-other-samples",
            "Stretches of throttle that leave one sample out: nobody knows whether it was throttled.",
            0,
            "its stretches of throttle do not cover its 12 samples, each with another than the one before",
            |record| {
                record["timing"]["throttle"] = json!([{"samples": 11, "throttled": false}]);
            },
        ),
        record(
            "throttled-sample-without-caveat",
            "One of the samples was throttled, and the record does not say so.",
            0,
            "the caveat Throttled is missing though the record gives the reason for it",
            |record| {
                record["timing"]["throttle"] =
                    json!([{"samples": 11, "throttled": false}, {"samples": 1, "throttled": true}]);
            },
        ),
    ]
}

fn sessions() -> Vec<Case> {
    let sitting = |started: &str, finished: &str, records: u64| json!({"startedAt": started, "finishedAt": finished, "records": records});
    let (began, ended) = ("2026-11-22T13:00:00Z", "2026-11-22T13:00:41.5Z");
    let sessions = |name, why, fault: &str, sessions: Value| {
        case(name, why, &format!("its sessions {fault}"), |statement| {
            statement["predicate"]["sessions"] = sessions;
        })
    };
    vec![
        sessions(
            "one-session",
            "A run made in one sitting has nothing to list.",
            "are one; a run made in one sitting lists none",
            json!([sitting(began, ended, 4)]),
        ),
        sessions(
            "sessions-overlap",
            "The second sitting began before the first ended: they were two runs.",
            "overlap or run backwards",
            json!([
                sitting(began, "2026-11-22T13:00:30Z", 2),
                sitting("2026-11-22T13:00:20Z", ended, 2)
            ]),
        ),
        sessions(
            "sessions-of-another-time",
            "The sittings end before the measurement does.",
            "do not span the time of the measurement",
            json!([
                sitting(began, "2026-11-22T13:00:10Z", 2),
                sitting("2026-11-22T13:00:20Z", "2026-11-22T13:00:30Z", 2)
            ]),
        ),
        sessions(
            "sessions-of-other-records",
            "The sittings measured fewer records than the statement has: one came from elsewhere.",
            "do not add up to its records",
            json!([
                sitting(began, "2026-11-22T13:00:10Z", 2),
                sitting("2026-11-22T13:00:20Z", ended, 1)
            ]),
        ),
    ]
}
