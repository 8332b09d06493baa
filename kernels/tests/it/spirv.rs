//! What the committed SPIR-V promises, read from its words.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use attest::statement::Api;
use kernels::catalogue::WORKLOADS;
use kernels::workload::{Kernel, Launch, Target};

const OP_EXECUTION_MODE: u32 = 16;
const OP_CAPABILITY: u32 = 17;
const OP_DECORATE: u32 = 71;
/// OpFNegate is exact; these round: OpFAdd, OpFSub, OpFMul, OpFDiv, OpVectorTimesScalar.
const ROUNDING: [u32; 5] = [129, 131, 133, 136, 142];
const OP_EXT_INST: u32 = 12;
/// In the set GLSL.std.450, the only one that shaders import.
const FMA: u32 = 50;
const LOCAL_SIZE: u32 = 17;
const NO_CONTRACTION: u32 = 42;
const SHADER: u32 = 1;
const GROUP_NON_UNIFORM: u32 = 61;
const GROUP_NON_UNIFORM_BALLOT: u32 = 64;
const DOT_PRODUCT_PACKED: u32 = 6018;
const DOT_PRODUCT: u32 = 6019;

struct Module {
    /// Opcode and operands of each instruction.
    instructions: Vec<(u32, Vec<u32>)>,
}

impl Module {
    fn parse(code: &[u8]) -> Self {
        let words: Vec<u32> = code
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes(word.try_into().expect("four bytes")))
            .collect();
        let mut instructions = Vec::new();
        let mut rest = &words[5..];
        while let [first, ..] = rest {
            let (instruction, next) = rest.split_at((first >> 16) as usize);
            instructions.push((first & 0xFFFF, instruction[1..].to_vec()));
            rest = next;
        }
        Self { instructions }
    }

    fn of(kernel: &Kernel) -> Self {
        Self::parse(kernel.spirv.expect("compiled"))
    }

    fn with(&self, opcode: u32) -> impl Iterator<Item = &[u32]> {
        let found = self.instructions.iter().filter(move |(code, _)| *code == opcode);
        found.map(|(_, operands)| operands.as_slice())
    }

    /// How many results are rounded, and which of them may be rounded together with another.
    fn rounded_and_contractible(&self) -> (usize, Vec<u32>) {
        let kept: BTreeSet<u32> = self
            .with(OP_DECORATE)
            .filter(|operands| operands[1] == NO_CONTRACTION)
            .map(|operands| operands[0])
            .collect();
        let rounded: Vec<u32> = ROUNDING
            .iter()
            .flat_map(|opcode| self.with(*opcode))
            .map(|operands| operands[1])
            .collect();
        let fused = self.with(OP_EXT_INST).filter(|operands| operands[3] == FMA);
        let loose = rounded.iter().copied().filter(|result| !kept.contains(result));
        let contractible = loose.chain(fused.map(|operands| operands[1])).collect();
        (rounded.len(), contractible)
    }
}

/// Launches of every workload on GPUs, without and with a packed dot product, and on a processor.
fn launches() -> Vec<(&'static str, Launch)> {
    let mut launches = Vec::new();
    for workload in WORKLOADS {
        for [software, packed_dot] in [[false, false], [false, true], [true, false]] {
            let target = Target {
                api: Api::Vulkan,
                software,
                packed_dot,
                capability: 0,
            };
            let plan = (workload.plan)(&workload.spec.cases[0].dims, target);
            launches.extend(
                plan.launches
                    .into_iter()
                    .map(|launch| (workload.spec.id.as_str(), launch)),
            );
        }
    }
    launches
}

/// The unroller of spirv-opt drops the decoration in its copies, after which it fuses; a shader must not let it.
#[test]
fn every_rounding_of_an_exact_f32_workload_forbids_contraction() {
    let mut checked = 0;
    for (id, launch) in launches() {
        if !["gemm.f32.exact.v1", "mem.triad.v1", "llm.exact.v1"].contains(&id) {
            continue;
        }
        let (rounded, contractible) = Module::of(launch.kernel).rounded_and_contractible();
        let least = if launch.kernel.name.ends_with("_add") {
            1
        } else {
            2
        };
        assert!(rounded >= least, "{}: a product and a sum", launch.kernel.name);
        assert_eq!(contractible, Vec::<u32>::new(), "{}", launch.kernel.name);
        checked += 1;
    }
    // One launch of the first two, 13 of a decoder block.
    assert_eq!(checked, 3 * 15, "each on two kinds of GPU and on a processor");
}

#[test]
fn a_shader_that_may_be_contracted_is_noticed() {
    for (id, launch) in launches() {
        if id == "gemm.f32.v1" {
            let (_, contractible) = Module::of(launch.kernel).rounded_and_contractible();
            assert!(!contractible.is_empty(), "{}", launch.kernel.name);
        }
    }
}

#[test]
fn workgroups_have_the_size_their_launches_state() {
    for (_, launch) in launches() {
        let module = Module::of(launch.kernel);
        let sizes: Vec<_> = module
            .with(OP_EXECUTION_MODE)
            .filter(|operands| operands[1] == LOCAL_SIZE)
            .map(|operands| operands[2..5].to_vec())
            .collect();
        assert_eq!(sizes, [launch.block.to_vec()], "{}", launch.kernel.name);
    }
}

/// Devices are created with no optional feature but one, which only shaders of that name may need.
#[test]
fn shaders_ask_for_no_capability_that_their_name_does_not_tell() {
    for path in modules(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let code = std::fs::read(&path).expect("readable");
        let named = |name: &str| path.to_string_lossy().ends_with(name);
        let mut asked: Vec<u32> = Module::parse(&code)
            .with(OP_CAPABILITY)
            .map(|operands| operands[0])
            .filter(|capability| *capability != SHADER)
            .collect();
        asked.sort_unstable();
        let expected: &[u32] = match () {
            () if named("_narrow.spv") => &[GROUP_NON_UNIFORM, GROUP_NON_UNIFORM_BALLOT],
            () if named("_dot.spv") => &[DOT_PRODUCT_PACKED, DOT_PRODUCT],
            () => &[],
        };
        assert_eq!(asked, expected, "{}", path.display());
    }
}

/// Every `.spv` below `folder`.
fn modules(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let (folders, files): (Vec<_>, Vec<_>) = entries
        .map(|entry| entry.expect("readable").path())
        .partition(|path| path.is_dir());
    let compiled = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "spv"));
    compiled
        .chain(folders.iter().flat_map(|folder| modules(folder)))
        .collect()
}
