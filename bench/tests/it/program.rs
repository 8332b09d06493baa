//! Running the built program in a home of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A folder in which the program finds no file of the user's.
pub(crate) struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).expect("a writable home");
        self.path(name)
    }

    /// The program, without the caller's environment but for what finds drivers and libraries.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear();
        for kept in ["PATH", "LD_LIBRARY_PATH", "VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
            command.envs(std::env::var_os(kept).map(|value| (kept, value)));
        }
        command
            .env("HOME", self.folder.path())
            .env("HALLMARK_KEY_PASSWORD", "correct horse")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("the program starts"))
    }

    /// Starts a registry on a free port over `data`.
    pub(crate) fn serve(&self, data: &str) -> Served {
        let mut child = self
            .command(&["serve", "--data", data, "--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the registry starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let address = lines.by_ref().find_map(|line| {
            let line = line.ok()?;
            Some(line.strip_prefix("serving on ")?.trim_end_matches('/').to_owned())
        });
        // Keeps reading, so that the registry never waits for its log to be read.
        std::thread::spawn(move || lines.count());
        Served {
            child,
            url: address.expect("the registry says its address"),
            trust: self.path(data).join("trusted_root.json"),
        }
    }

    /// A small measured run: one exact workload on the processor.
    pub(crate) fn measured(&self, out: &str) -> PathBuf {
        let ran = self.run(&[
            "run", "--device", "cpu:0", "--only", "gemm.i8", "--budget", "50ms", "--out", out,
        ]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        self.path(out)
    }
}

/// What a command left.
pub(crate) struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asserts the exit code and that the message says each of these.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "standard error: {}", self.err);
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in: {}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }
}

/// A registry that ends with the test.
pub(crate) struct Served {
    pub child: Child,
    pub url: String,
    pub trust: PathBuf,
}

impl Served {
    pub(crate) fn trust(&self) -> &str {
        path(&self.trust)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

pub(crate) fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON on standard output")
}
