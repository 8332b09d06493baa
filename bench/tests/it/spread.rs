//! How far several runs lie apart.

use crate::program::{Home, json};
use crate::score::calm;

#[test]
fn a_spread_is_the_variation_of_medians_over_runs_of_one_machine() {
    let home = Home::new();
    home.measured("run.json");
    let run = json(&std::fs::read_to_string(home.path("run.json")).expect("a run"));
    for (name, percent) in [("slow", 202), ("middle", 200), ("fast", 198)] {
        home.write(&format!("{name}.json"), &calm(&run, percent).to_string());
    }
    let command = ["spread", "slow.json", "middle.json", "fast.json"];
    let found = home.run(&[&command[..], &["--format", "json"]].concat());
    assert_eq!(found.code, 0, "{}", found.err);
    let record = &json(&found.out)["devices"][0]["records"][0];
    assert_eq!(record["workload"], run["records"][0]["workload"]);
    assert_eq!(record["mediansPs"].as_array().map(Vec::len), Some(3));
    // 202, 200 and 198 deviate by 2 from 200.
    let ppm = record["variationPpm"].as_u64().expect("a number");
    assert!((9_900..=10_100).contains(&ppm), "{ppm}");
    let shown = home.run(&command);
    assert!(
        shown.out.contains("1.0 %") && shown.out.contains("3 runs"),
        "{}",
        shown.out
    );

    home.run(&["spread", "slow.json"])
        .refused(2, &["1 run has no spread", "at least 2"]);
    home.run(&["spread", "slow.json", "slow.json"])
        .refused(2, &["given twice"]);
    let mut other = calm(&run, 100);
    other["devices"][0]["name"] = "another".into();
    home.write("other.json", &other.to_string());
    home.run(&["spread", "slow.json", "other.json"])
        .refused(2, &["of other devices", "another"]);

    let mut cut = calm(&run, 100);
    cut["records"].as_array_mut().expect("records").pop();
    home.write("cut.json", &cut.to_string());
    let cut = home.run(&["spread", "slow.json", "cut.json"]);
    assert!(
        cut.out
            .contains("1 of 2 runs have figures: the other runs do not have it"),
        "{}",
        cut.out
    );
}
