//! Command buffers written by hand: vulkano's automatic builder would put its own barriers between launches.
#![allow(
    unsafe_code,
    reason = "vulkano's raw command buffers track neither lifetimes nor hazards"
)]
// SAFETY of every command here: the caller keeps what it passes alive until the submission has been waited for, or leaks
// it (`LoadedCase::fate`), and separates commands that touch the same memory by `barrier`.

use std::sync::Arc;

use ash::vk;
use vulkano::VulkanObject;
use vulkano::buffer::Subbuffer;
use vulkano::command_buffer::{
    CommandBuffer, CommandBufferBeginInfo, CommandBufferLevel, CommandBufferUsage, CopyBufferInfo,
    RecordingCommandBuffer,
};
use vulkano::descriptor_set::DescriptorSet;
use vulkano::pipeline::{ComputePipeline, Pipeline, PipelineBindPoint};
use vulkano::query::QueryPool;
use vulkano::sync::{AccessFlags, DependencyInfo, MemoryBarrier, PipelineStage, PipelineStages};

use super::super::DeviceError;
use super::context::Context;

pub(super) struct Recorder<'a> {
    context: &'a Context,
    commands: RecordingCommandBuffer,
}

/// Where memory was written, or will be used next.
#[derive(Clone, Copy)]
pub(super) enum Use {
    Transfer,
    Shader,
    Host,
}

impl Use {
    fn stages(self) -> PipelineStages {
        match self {
            Self::Transfer => PipelineStages::ALL_TRANSFER,
            Self::Shader => PipelineStages::COMPUTE_SHADER,
            Self::Host => PipelineStages::HOST,
        }
    }

    fn read_and_write(self) -> AccessFlags {
        match self {
            Self::Transfer => AccessFlags::TRANSFER_READ | AccessFlags::TRANSFER_WRITE,
            Self::Shader => AccessFlags::SHADER_READ | AccessFlags::SHADER_WRITE,
            Self::Host => AccessFlags::HOST_READ | AccessFlags::HOST_WRITE,
        }
    }

    fn write(self) -> AccessFlags {
        match self {
            Self::Transfer => AccessFlags::TRANSFER_WRITE,
            Self::Shader => AccessFlags::SHADER_WRITE,
            Self::Host => AccessFlags::HOST_WRITE,
        }
    }
}

impl<'a> Recorder<'a> {
    pub(super) fn begin(context: &'a Context) -> Result<Self, DeviceError> {
        let begin = CommandBufferBeginInfo {
            usage: CommandBufferUsage::MultipleSubmit,
            ..CommandBufferBeginInfo::default()
        };
        let commands = RecordingCommandBuffer::new(
            Arc::clone(&context.commands),
            context.queue.queue_family_index(),
            CommandBufferLevel::Primary,
            begin,
        )
        .map_err(|error| context.failure("recording", error))?;
        Ok(Self { context, commands })
    }

    /// What was written by `from` is seen by `to`, and `to` waits for it.
    pub(super) fn barrier(&mut self, from: Use, to: Use) -> Result<(), DeviceError> {
        let barrier = MemoryBarrier {
            src_stages: from.stages(),
            src_access: from.write(),
            dst_stages: to.stages(),
            dst_access: to.read_and_write(),
            ..MemoryBarrier::default()
        };
        let dependency = DependencyInfo {
            memory_barriers: [barrier].into_iter().collect(),
            ..DependencyInfo::default()
        };
        // SAFETY: see the top of this file.
        let done = unsafe { self.commands.pipeline_barrier(&dependency) };
        done.map(drop)
            .map_err(|error| self.context.failure("recording a barrier", error))
    }

    pub(super) fn fill(&mut self, buffer: &Subbuffer<[u32]>, word: u32) -> Result<(), DeviceError> {
        // SAFETY: see the top of this file.
        let done = unsafe { self.commands.fill_buffer(buffer, word) };
        done.map(drop)
            .map_err(|error| self.context.failure("recording a fill", error))
    }

    /// Copies as many words as the shorter of the two holds.
    pub(super) fn copy(&mut self, from: &Subbuffer<[u32]>, to: &Subbuffer<[u32]>) -> Result<(), DeviceError> {
        let copy = CopyBufferInfo::buffers(from.clone(), to.clone());
        // SAFETY: see the top of this file.
        let done = unsafe { self.commands.copy_buffer(&copy) };
        done.map(drop)
            .map_err(|error| self.context.failure("recording a copy", error))
    }

    pub(super) fn dispatch(
        &mut self,
        pipeline: &ComputePipeline,
        buffers: &DescriptorSet,
        push: &[u32],
        grid: [u32; 3],
    ) -> Result<(), DeviceError> {
        let layout = pipeline.layout();
        // SAFETY: see the top of this file.
        let bound = unsafe {
            self.commands
                .bind_pipeline_compute(pipeline)
                .and_then(|commands| {
                    commands.bind_descriptor_sets(
                        PipelineBindPoint::Compute,
                        layout,
                        0,
                        &[buffers.as_raw()],
                        &[],
                    )
                })
        };
        bound.map_err(|error| self.context.failure("binding a kernel", error))?;
        if !push.is_empty() {
            let functions = self.context.device.fns();
            // SAFETY: the layout's only push constant range starts at 0 and is exactly `push` long.
            unsafe {
                (functions.v1_0.cmd_push_constants)(
                    self.commands.handle(),
                    layout.handle(),
                    vk::ShaderStageFlags::COMPUTE,
                    0,
                    size_of_val(push) as u32,
                    push.as_ptr().cast(),
                );
            }
        }
        // SAFETY: see the top of this file.
        let done = unsafe { self.commands.dispatch(grid) };
        done.map(drop)
            .map_err(|error| self.context.failure("recording a launch", error))
    }

    pub(super) fn reset(&mut self, queries: &QueryPool) -> Result<(), DeviceError> {
        // SAFETY: see the top of this file.
        let done = unsafe { self.commands.reset_query_pool(queries, 0..queries.query_count()) };
        done.map(drop)
            .map_err(|error| self.context.failure("resetting timestamps", error))
    }

    /// Writes the time at which all commands before have passed `stage`.
    pub(super) fn stamp(
        &mut self,
        queries: &QueryPool,
        query: u32,
        stage: PipelineStage,
    ) -> Result<(), DeviceError> {
        // SAFETY: see the top of this file.
        let done = unsafe { self.commands.write_timestamp(queries, query, stage) };
        done.map(drop)
            .map_err(|error| self.context.failure("recording a timestamp", error))
    }

    pub(super) fn end(self) -> Result<CommandBuffer, DeviceError> {
        let context = self.context;
        // SAFETY: every command above was recorded through vulkano's checks.
        unsafe { self.commands.end() }.map_err(|error| context.failure("recording", error))
    }
}
