//! Launches recorded once and submitted again and again, with a timestamp on either side.

use std::sync::Arc;

use vulkano::command_buffer::CommandBuffer;
use vulkano::query::{QueryPool, QueryPoolCreateInfo, QueryResultFlags, QueryType};
use vulkano::sync::PipelineStage;

use super::super::{DeviceError, Elapsed};
use super::context::{Context, Failure};
use super::loaded::Step;
use super::recorder::{Recorder, Use};

/// Launches in one command buffer; longer batches are split, all parts going into one submission. Drivers hold every
/// recorded launch in memory and some limit a buffer's size.
const LAUNCHES_PER_BUFFER: usize = 4096;

/// Both clocks around a sequence of launches.
pub(super) struct Stopwatch {
    context: Arc<Context>,
    queries: Arc<QueryPool>,
}

impl Stopwatch {
    pub(super) fn new(context: Arc<Context>) -> Result<Self, DeviceError> {
        let wanted = QueryPoolCreateInfo {
            query_count: 2,
            ..QueryPoolCreateInfo::query_type(QueryType::Timestamp)
        };
        let queries = QueryPool::new(Arc::clone(&context.device), wanted)
            .map_err(|error| context.failure("making timestamps", error))?;
        Ok(Self { context, queries })
    }

    /// Records the steps in order. Each waits for the one before it, as on a CUDA stream.
    pub(super) fn record<'a>(
        &self,
        mut steps: impl Iterator<Item = &'a Step>,
    ) -> Result<Vec<CommandBuffer>, DeviceError> {
        let mut buffers = Vec::new();
        let mut recorder = Recorder::begin(&self.context)?;
        recorder.reset(&self.queries)?;
        recorder.barrier(Use::Transfer, Use::Shader)?;
        recorder.stamp(&self.queries, 0, PipelineStage::TopOfPipe)?;
        loop {
            let recorded = record_part(&mut recorder, &mut steps)?;
            if recorded < LAUNCHES_PER_BUFFER {
                break;
            }
            let next = Recorder::begin(&self.context)?;
            buffers.push(std::mem::replace(&mut recorder, next).end()?);
        }
        // The barrier after the last launch makes the closing stamp wait for it.
        recorder.stamp(&self.queries, 1, PipelineStage::BottomOfPipe)?;
        buffers.push(recorder.end()?);
        Ok(buffers)
    }

    pub(super) fn time(&self, buffers: &[CommandBuffer]) -> Result<Elapsed, Failure> {
        let host = self.context.run(buffers)?;
        let mut stamps = [0u64; 2];
        let complete = self
            .queries
            .get_results(0..2, &mut stamps, QueryResultFlags::WAIT)
            .map_err(|error| self.context.failure("reading timestamps", error))?;
        if !complete {
            return Err(self
                .context
                .failure("reading timestamps", "the driver has none after the work is done")
                .into());
        }
        Ok(Elapsed {
            device_ns: self.context.nanoseconds(stamps[0], stamps[1]),
            host_ns: host.as_nanos() as u64,
        })
    }
}

/// Records up to a buffer full of steps and says how many.
fn record_part<'a>(
    recorder: &mut Recorder<'_>,
    steps: &mut impl Iterator<Item = &'a Step>,
) -> Result<usize, DeviceError> {
    let mut recorded = 0;
    for step in steps.take(LAUNCHES_PER_BUFFER) {
        let by = match step {
            Step::Launch(launch) => {
                recorder.dispatch(&launch.pipeline, &launch.buffers, &launch.push, launch.grid)?;
                Use::Shader
            }
            Step::Copy { from, to } => {
                recorder.copy(from, to)?;
                Use::Transfer
            }
        };
        recorder.barrier(by, by)?;
        recorded += 1;
    }
    Ok(recorded)
}
