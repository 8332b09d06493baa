//! A registry to try things on.

use std::time::Duration;

use attest::key::SigningKey;
use attest::trust::TrustedRoot;
use registry::{Config, Running, start};
use tempfile::TempDir;

use crate::wire::Wire;

pub(crate) const ORIGIN: &str = "log.test/hallmark";

/// A served folder that vanishes with the value.
pub(crate) struct Served {
    pub(crate) running: Running,
    /// After `running`, so that it goes last.
    folder: TempDir,
}

pub(crate) fn config(folder: &TempDir) -> Config {
    let listen = "127.0.0.1:0".parse().unwrap();
    let mut config = Config::new(folder.path().join("data"), listen, ORIGIN.to_owned());
    config.log_requests = false;
    config.limits.submissions = None;
    config.limits.reads = None;
    config.limits.drain_timeout = Duration::from_secs(5);
    config
}

pub(crate) fn serve() -> Served {
    serve_with(|_| {})
}

pub(crate) fn serve_with(change: impl FnOnce(&mut Config)) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    change(&mut config);
    Served {
        running: start(config).unwrap(),
        folder,
    }
}

impl Served {
    pub(crate) fn wire(&self) -> Wire {
        Wire::connect(self.running.address()).unwrap()
    }

    /// Stops, and holds the folder to what it should hold.
    pub(crate) fn stop_sound(self, entries: u64) {
        let report = self.stop();
        assert!(
            report.is_sound() && report.entries == entries,
            "{entries}: {report}"
        );
    }

    /// Stops, and looks through what is left.
    pub(crate) fn stop(self) -> registry::FsckReport {
        self.running.stop().unwrap();
        registry::fsck(&self.folder.path().join("data")).unwrap()
    }

    pub(crate) fn trust(&self) -> TrustedRoot {
        TrustedRoot::parse(self.running.trusted_root().as_bytes()).unwrap()
    }
}

pub(crate) fn key() -> SigningKey {
    SigningKey::generate().unwrap()
}
