//! Compute pipelines from committed SPIR-V.
#![allow(
    unsafe_code,
    reason = "vulkano cannot check that SPIR-V is valid; spirv-val does so when it is rebuilt"
)]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use vulkano::descriptor_set::layout::{
    DescriptorSetLayout, DescriptorSetLayoutBinding, DescriptorSetLayoutCreateInfo, DescriptorType,
};
use vulkano::pipeline::compute::ComputePipelineCreateInfo;
use vulkano::pipeline::layout::{PipelineLayout, PipelineLayoutCreateInfo, PushConstantRange};
use vulkano::pipeline::{ComputePipeline, PipelineShaderStageCreateInfo};
use vulkano::shader::spirv::bytes_to_words;
use vulkano::shader::{ShaderModule, ShaderModuleCreateInfo, ShaderStages};

use super::super::DeviceError;
use super::context::Context;
use crate::workload::Launch;

/// Pipelines of a device, each made once: software devices compile a shader when it first runs, which a later case of the
/// same kernels must not pay again.
#[derive(Default)]
pub(super) struct Pipelines {
    made: Mutex<HashMap<Key, Arc<ComputePipeline>>>,
}

/// The kernel's name, and how many buffers and words it takes.
type Key = (&'static str, usize, usize);

impl Pipelines {
    pub(super) fn of(&self, context: &Context, launch: &Launch) -> Result<Arc<ComputePipeline>, DeviceError> {
        let key = (launch.kernel.name, launch.buffers.len(), launch.push.len());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = made.get(&key) {
            return Ok(Arc::clone(pipeline));
        }
        let pipeline = make(context, launch)?;
        made.insert(key, Arc::clone(&pipeline));
        Ok(pipeline)
    }
}

/// The pipeline of one launch: set 0 holds its buffers, push constants its words.
fn make(context: &Context, launch: &Launch) -> Result<Arc<ComputePipeline>, DeviceError> {
    let kernel = launch.kernel;
    let code = kernel.spirv.ok_or_else(|| DeviceError::NoCode {
        device: context.id.clone(),
        api: "vulkan",
        kernel: kernel.name,
    })?;
    let failure = |reason: String| context.failure("making a pipeline", format!("{}: {reason}", kernel.name));
    let words = bytes_to_words(code).map_err(|error| failure(error.to_string()))?;
    // SAFETY: the bytes are those committed, which spirv-val accepted when they were made.
    let module =
        unsafe { ShaderModule::new(Arc::clone(&context.device), ShaderModuleCreateInfo::new(&words)) }
            .map_err(|error| failure(error.to_string()))?;
    let entry = module
        .entry_point("main")
        .ok_or_else(|| failure("has no entry point `main`".to_owned()))?;
    let stage = PipelineShaderStageCreateInfo::new(entry);
    let layout = layout(context, launch).map_err(failure)?;
    ComputePipeline::new(
        Arc::clone(&context.device),
        None,
        ComputePipelineCreateInfo::stage_layout(stage, layout),
    )
    .map_err(|error| failure(error.to_string()))
}

fn layout(context: &Context, launch: &Launch) -> Result<Arc<PipelineLayout>, String> {
    let bindings: BTreeMap<u32, DescriptorSetLayoutBinding> = (0u32..)
        .zip(&launch.buffers)
        .map(|(index, _)| {
            let binding = DescriptorSetLayoutBinding {
                stages: ShaderStages::COMPUTE,
                ..DescriptorSetLayoutBinding::descriptor_type(DescriptorType::StorageBuffer)
            };
            (index, binding)
        })
        .collect();
    let set = DescriptorSetLayout::new(
        Arc::clone(&context.device),
        DescriptorSetLayoutCreateInfo {
            bindings,
            ..DescriptorSetLayoutCreateInfo::default()
        },
    )
    .map_err(|error| error.to_string())?;
    let push = PushConstantRange {
        stages: ShaderStages::COMPUTE,
        offset: 0,
        size: super::limits::push_bytes(launch),
    };
    PipelineLayout::new(
        Arc::clone(&context.device),
        PipelineLayoutCreateInfo {
            set_layouts: vec![set],
            push_constant_ranges: if launch.push.is_empty() {
                Vec::new()
            } else {
                vec![push]
            },
            ..PipelineLayoutCreateInfo::default()
        },
    )
    .map_err(|error| error.to_string())
}
