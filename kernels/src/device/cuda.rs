//! CUDA devices.

use attest::statement::Api;

use super::{Absent, Device};

pub fn discover() -> (Vec<Box<dyn Device>>, Vec<Absent>) {
    let absent = Absent {
        api: Api::Cuda,
        reason: "not built".into(),
        hint: String::new(),
    };
    (Vec::new(), vec![absent])
}
