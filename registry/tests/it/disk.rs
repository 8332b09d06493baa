//! A disk that is full: a clear answer, nothing lost, nothing half written.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bench::{config, key};
use crate::kill::server;
use crate::sample::sample;
use crate::wire::{Answer, Wire};
use crate::{campaign, sample};

/// More than any of the disks here holds.
const MANY: u64 = 5_000;

/// Submits until the disk is full; gives what was acknowledged and what was not.
fn fill(wire: &mut Wire) -> (Vec<(sample::Sample, Answer)>, sample::Sample) {
    let key = key();
    let mut acknowledged = Vec::new();
    for number in 0..MANY {
        let sample = sample(number, &key);
        let answer = wire.post(&sample.body).unwrap();
        if answer.status != 201 {
            assert_eq!(answer.status, 503, "{}", answer.text());
            assert_eq!(answer.json()["type"], "urn:hallmark:problem:not-recorded");
            assert!(acknowledged.len() > 10);
            return (acknowledged, sample);
        }
        acknowledged.push((sample, answer));
    }
    panic!("{MANY} submissions did not fill the disk");
}

/// Reads go on, and every acknowledged receipt is there.
fn all_there(wire: &mut Wire, acknowledged: &[(sample::Sample, Answer)]) {
    for (sample, before) in acknowledged {
        let answer = wire
            .get(&format!("/api/v1/attestations/{}/receipt", sample.digest))
            .unwrap();
        assert!(
            answer.status == 200 && answer.body == before.body,
            "{}",
            sample.digest
        );
    }
}

fn sound(data: &Path, entries: usize) {
    let report = registry::fsck(data).unwrap();
    assert!(
        report.is_sound() && report.entries == entries as u64,
        "{entries}: {report}"
    );
}

#[test]
fn a_file_size_limit_stops_the_log_and_lifting_it_continues() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // The shell's ignored signal and limit pass to the server: its writes then fail with EFBIG. Blocks of 512 bytes.
    let program = server(&data);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$@\"", "sh"])
        .arg(program.get_program());
    limited
        .args(program.get_args())
        .envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let (mut child, address) = campaign::launch(&mut limited).unwrap().unwrap();
    let mut wire = Wire::connect(address).unwrap();
    let (acknowledged, refused) = fill(&mut wire);
    all_there(&mut wire, &acknowledged);
    assert_eq!(wire.get("/healthz").unwrap().status, 200);
    child.kill().unwrap();
    child.wait().unwrap();
    sound(&data, acknowledged.len());

    let (mut child, address) = campaign::launch(&mut server(&data)).unwrap().unwrap();
    let mut wire = Wire::connect(address).unwrap();
    all_there(&mut wire, &acknowledged);
    assert_eq!(wire.post(&refused.body).unwrap().status, 201);
    child.kill().unwrap();
    child.wait().unwrap();
    sound(&data, acknowledged.len() + 1);
}

/// A small file system of its own, where the system lets us make one.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(path: &'a Path) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs"])
            .arg(path)
            .output();
        mounted
            .is_ok_and(|done| done.status.success())
            .then_some(Self(path))
    }

    fn grow(&self) {
        let grown = Command::new("mount")
            .args(["-o", "remount,size=64m"])
            .arg(self.0)
            .status();
        assert!(grown.unwrap().success());
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_full_file_system_stops_the_log_and_room_lets_it_go_on_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    let path = folder.path().join("small");
    let disk = SmallDisk::mount(&path).expect("the right to mount a small tmpfs: run as root");
    config.data = path.join("data");
    let running = registry::start(config.clone()).unwrap();
    let mut wire = Wire::connect(running.address()).unwrap();
    let (acknowledged, refused) = fill(&mut wire);
    all_there(&mut wire, &acknowledged);
    assert_eq!(wire.post(&refused.body).unwrap().status, 503, "full is full");
    disk.grow();
    let answer = wire.post(&refused.body).unwrap();
    assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
    assert_eq!(wire.get("/readyz").unwrap().status, 200);
    running.stop().unwrap();
    sound(&config.data, acknowledged.len() + 1);
}
