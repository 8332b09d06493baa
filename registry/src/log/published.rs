//! What readers may see: the newest published head, and whether the log accepts more.

use std::sync::{Arc, PoisonError, RwLock};

use crate::store::Head;

/// Whether the sequencer can accept entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Ready,
    /// Storage fails for now; the sequencer keeps trying.
    Stalled(String),
    /// Only a person can help.
    Halted(String),
}

/// Shared between the sequencer, which writes, and all readers.
#[derive(Debug)]
pub(crate) struct Published {
    head: RwLock<Arc<Head>>,
    condition: RwLock<Condition>,
}

impl Published {
    pub(crate) fn new(head: Head) -> Self {
        Self {
            head: RwLock::new(Arc::new(head)),
            condition: RwLock::new(Condition::Ready),
        }
    }

    pub(crate) fn head(&self) -> Arc<Head> {
        Arc::clone(&self.head.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn condition(&self) -> Condition {
        self.condition
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set(&self, head: Head) {
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(head);
    }

    pub(super) fn mark(&self, condition: Condition) {
        *self.condition.write().unwrap_or_else(PoisonError::into_inner) = condition;
    }
}
