//! A peer: another program's kernel in a child process, asked for so many runs and answering with their nanoseconds.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

pub(crate) struct Peer {
    pub(crate) name: String,
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// Threads of both sides.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[allow(dead_code, reason = "each bench has peers of its own")]
impl Peer {
    /// numpy's product of two matrices of `n` by `n` floats.
    pub(crate) fn openblas(n: u64) -> Self {
        let threads = [("OPENBLAS_NUM_THREADS", threads().to_string())];
        let mut peer = Self::python("openblas.py", &[n], &threads, "numpy==2.4.6");
        peer.name = format!("OpenBLAS of {}", peer.name);
        peer
    }

    /// onnxruntime's product of `m` by `k` and `k` by `n` bytes.
    pub(crate) fn matmulinteger([m, n, k]: [u64; 3]) -> Self {
        let sizes = [m, n, k, threads() as u64];
        Self::python(
            "matmulinteger.py",
            &sizes,
            &[],
            "onnxruntime==1.32.0 onnx==1.23.2",
        )
    }

    /// PyTorch, which is told with each request what to run.
    pub(crate) fn torch() -> Self {
        Self::python("pytorch.py", &[threads() as u64], &[], "torch==2.15.0")
    }

    /// A script for the Python that `HALLMARK_PYTHON` names, or the virtual environment's in the target folder. Its first
    /// line names the peer.
    fn python(script: &str, arguments: &[u64], environment: &[(&str, String)], packages: &str) -> Self {
        let python = std::env::var_os("HALLMARK_PYTHON")
            .map_or_else(|| target().join("venv/bin/python"), PathBuf::from);
        let venv = python.ancestors().nth(2).unwrap_or(&python).display();
        let remedy = format!("install it: python3 -m venv {venv} && {venv}/bin/pip install {packages}");
        let mut command = Command::new(&python);
        command
            .arg(source(script))
            .args(arguments.iter().map(u64::to_string))
            .envs(environment.iter().map(|(name, value)| (name, value)));
        let mut peer = Self::start(script, command, &remedy);
        peer.name = peer.answer();
        assert!(!peer.name.is_empty(), "{script} says nothing; {remedy}");
        peer
    }

    /// STREAM over arrays of `n` floats, built by the system's C compiler.
    pub(crate) fn stream(n: u64) -> Self {
        let program = target().join("stream-peer");
        let built = Command::new("cc")
            .args(["-O3", "-march=native", "-fopenmp", "-o"])
            .arg(&program)
            .arg(source("stream.c"))
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "cc cannot build kernels/benches/stream.c; install a C compiler with OpenMP: apt-get install gcc"
        );
        let mut command = Command::new(program);
        command
            .arg(n.to_string())
            .env("OMP_NUM_THREADS", threads().to_string());
        Self::start("C STREAM", command, "it was just built")
    }

    /// ggml, built against the prefix that `HALLMARK_GGML` names. Its Vulkan is on device `vulkan`.
    pub(crate) fn ggml(vulkan: &str) -> Self {
        const REMEDY: &str = "build it from llama.cpp: cmake -S llama.cpp/ggml -B ggml -DGGML_VULKAN=ON \
                              -DCMAKE_INSTALL_PREFIX=PREFIX && cmake --build ggml && cmake --install ggml; then set \
                              HALLMARK_GGML=PREFIX";
        let prefix = std::env::var_os("HALLMARK_GGML");
        let prefix = PathBuf::from(prefix.unwrap_or_else(|| panic!("HALLMARK_GGML names no ggml; {REMEDY}")));
        let (program, lib) = (target().join("ggml-peer"), prefix.join("lib"));
        let argument = |option: &str, path: PathBuf| [option, &path.display().to_string()].concat();
        let built = Command::new("c++")
            .args(["-O2", "-std=c++17", "-o"])
            .args([&program, &source("ggml.cpp")])
            .arg(argument("-I", prefix.join("include")))
            .arg(argument("-L", lib.clone()))
            .args(["-lggml", "-lggml-base"])
            .arg(argument("-Wl,--disable-new-dtags,-rpath,", lib.clone()))
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "c++ cannot build kernels/benches/ggml.cpp with the headers and libraries of {}; {REMEDY}",
            prefix.display()
        );
        let mut command = Command::new(program);
        command
            .arg(threads().to_string())
            .arg(lib)
            .env("GGML_VK_VISIBLE_DEVICES", vulkan);
        let mut peer = Self::start("ggml", command, REMEDY);
        peer.name = peer.answer();
        assert!(!peer.name.is_empty(), "ggml's peer says nothing; {REMEDY}");
        peer
    }

    fn start(name: &str, mut command: Command, remedy: &str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}; {remedy}"));
        Self {
            name: name.to_owned(),
            requests: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().expect("piped")),
            child,
        }
    }

    /// Time of `runs` runs by the peer's own clock, after one run that wakes its threads.
    pub(crate) fn time(&mut self, request: &str, runs: u64) -> Duration {
        self.ask(request, 1);
        self.ask(request, runs)
    }

    fn ask(&mut self, request: &str, runs: u64) -> Duration {
        let requests = self.requests.as_mut().expect("open until dropped");
        writeln!(requests, "{request}{runs}").expect("the peer reads");
        let answer = self.answer();
        let nanoseconds = answer
            .parse()
            .unwrap_or_else(|_| panic!("{} answered {answer:?}", self.name));
        Duration::from_nanos(nanoseconds)
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the peer answers");
        line.trim().to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.requests.take());
        let _ = self.child.wait();
    }
}

fn source(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/benches")).join(file)
}

fn target() -> PathBuf {
    let below_root = concat!(env!("CARGO_MANIFEST_DIR"), "/../target");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| below_root.into(), PathBuf::from)
}
