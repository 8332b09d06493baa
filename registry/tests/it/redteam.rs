//! The red team in short: every cheat some thirty times.

#[path = "../../examples/redteam/cheats.rs"]
mod cheats;

use std::net::TcpListener;

use cheats::line::{self, Line};
use cheats::{Campaign, FAMILIES};

/// Enough that a registry which catches one cheat in ten less than it should is seen.
const TRIALS: usize = 30;

/// So that a right registry fails this once in a million times.
const LEVEL: f64 = 1e-7;

#[test]
fn every_cheat_is_caught_as_often_as_expected() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let worker = listener.local_addr().unwrap();
    std::thread::spawn(move || cheats::forward::serve(&listener));
    let campaign = Campaign {
        trials: TRIALS,
        level: LEVEL,
        worker,
    };
    let lines = campaign.run(&FAMILIES, &|_| {});
    assert!(lines.iter().all(Line::holds), "{}", line::table(&lines));
}
