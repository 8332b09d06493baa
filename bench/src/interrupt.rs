//! Ctrl-C: the first asks the run to stop and keep what it has, the second ends the program.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Listens for SIGINT and SIGTERM from now on.
pub(crate) fn listen() {
    let listening = ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    });
    if let Err(error) = listening {
        crate::talk::warn(&format!("Ctrl-C will not keep partial results: {error}"));
    }
}

pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
