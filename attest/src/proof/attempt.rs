//! The beginning: what a provider asks for, and what the registry logs before the nonce exists.

use serde::{Deserialize, Serialize};

use super::stated::{ProtocolError, Terms, time};
use super::{Stated, Work};
use crate::digest::Sha256;
use crate::statement::{Device, Freshness};

/// More devices than any host holds.
const MAX_DEVICES: usize = 256;

/// Longest name that is shown, in bytes. The longest GPU name of any driver seen has 90.
const MAX_NAME_BYTES: usize = 256;

/// One proof on one device. All tasks of an attempt run at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Index into the devices.
    pub device: u32,
    #[serde(flatten)]
    pub work: Work,
}

/// What a provider signs to open an attempt. Subject i is `device/<i>` with the device's identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// 256 random bits, so that no two requests are the same.
    pub salt: Sha256,
    /// By the provider's clock.
    pub requested_at: String,
    /// A recent checkpoint of the registry's log: a request is of no use later, or to another registry.
    pub freshness: Freshness,
    /// Every device of the host.
    pub devices: Vec<Device>,
    pub tasks: Vec<Task>,
}

/// What the registry signs and logs. Subject 0 is `request` with its digest, subject i+1 `device/<i>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// SHA-256 of the request's signed bytes.
    pub request: Sha256,
    /// Who asked.
    pub key_id: Sha256,
    pub opened_at: String,
    pub devices: Vec<Device>,
    pub tasks: Vec<Task>,
    /// Binds the registry to the secret that the samples follow from.
    pub sample_commitment: Sha256,
    pub limits: AttemptLimits,
}

/// How long the provider has for each step, in milliseconds by the registry's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptLimits {
    /// From the answer to the request until the nonce is asked for.
    pub start_ms: u64,
    /// From the nonce to the last commitment.
    pub commit_ms: u64,
    /// From the last commitment to the openings.
    pub open_ms: u64,
}

impl Terms for Request {
    const TYPE: &'static str = "urn:hallmark:attestation:attempt-request:v1";

    fn check(&self) -> Result<(), ProtocolError> {
        time("requestedAt", &self.requested_at)?;
        tasks(&self.devices, &self.tasks)
    }
}

impl Terms for Attempt {
    const TYPE: &'static str = "urn:hallmark:attestation:attempt:v1";

    fn check(&self) -> Result<(), ProtocolError> {
        time("openedAt", &self.opened_at)?;
        tasks(&self.devices, &self.tasks)
    }
}

fn tasks(devices: &[Device], tasks: &[Task]) -> Result<(), ProtocolError> {
    for (what, count) in [("devices", devices.len()), ("tasks", tasks.len())] {
        if !(1..=MAX_DEVICES).contains(&count) {
            return Err(ProtocolError::Count {
                what,
                count,
                limit: MAX_DEVICES,
            });
        }
    }
    if let Some(device) = devices.iter().find(|device| device.name.len() > MAX_NAME_BYTES) {
        return Err(ProtocolError::TooLong {
            what: "a device's name",
            bytes: device.name.len(),
            limit: MAX_NAME_BYTES,
        });
    }
    for (index, task) in tasks.iter().enumerate() {
        let error = |error| ProtocolError::Work { task: index, error };
        task.work.check().map_err(error)?;
        if task.device as usize >= devices.len() {
            return Err(ProtocolError::NoSuchDevice {
                task: index,
                device: task.device,
                devices: devices.len(),
            });
        }
        if task.work.workload() != tasks[0].work.workload() {
            return Err(ProtocolError::MixedWork { task: index });
        }
    }
    Ok(())
}

impl Stated<Request> {
    /// Checks what needs the subjects: one identity for each device, and no device with two tasks under any name.
    pub fn check_devices(&self) -> Result<(), ProtocolError> {
        let devices = self.predicate.devices.len();
        let named =
            |(index, subject): (usize, &crate::statement::Subject)| subject.name == format!("device/{index}");
        if self.subject.len() != devices || !self.subject.iter().enumerate().all(named) {
            return Err(ProtocolError::Inconsistent {
                what: "the list of subjects",
            });
        }
        let identity = |task: &Task| self.subject[task.device as usize].digest.sha256;
        let tasks = &self.predicate.tasks;
        for (second, task) in tasks.iter().enumerate() {
            if let Some(first) = tasks[..second]
                .iter()
                .position(|other| identity(other) == identity(task))
            {
                return Err(ProtocolError::OneDevice {
                    first,
                    second,
                    identity: identity(task),
                });
            }
        }
        Ok(())
    }

    /// What the registry logs of this request, whose signed bytes have the digest `request`.
    pub fn attempt(
        &self,
        request: Sha256,
        key_id: Sha256,
        opened_at: String,
        sample_commitment: Sha256,
        limits: AttemptLimits,
    ) -> Stated<Attempt> {
        let devices = self
            .subject
            .iter()
            .map(|subject| (subject.name.clone(), subject.digest.sha256));
        Stated::new(
            std::iter::once(("request".to_owned(), request)).chain(devices),
            Attempt {
                request,
                key_id,
                opened_at,
                devices: self.predicate.devices.clone(),
                tasks: self.predicate.tasks.clone(),
                sample_commitment,
                limits,
            },
        )
    }
}
