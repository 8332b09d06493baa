//! Refused steps as problems.

use crate::http::problem::{self, Problem};
use crate::sessions::SessionError;

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        let text = error.to_string();
        let plain = |kind| Self::new(kind, text.clone());
        match error {
            SessionError::Submission(error) => error.into(),
            SessionError::Store(error) => error.into(),
            SessionError::Queue(error) => error.into(),
            SessionError::Log(error) => error.into(),
            SessionError::Receipt(error) => error.into(),
            SessionError::Request(_) => plain(problem::BAD_STATEMENT),
            SessionError::Stale(_) => plain(problem::STALE_REQUEST),
            SessionError::Dear { .. } => plain(problem::CHECK_TOO_DEAR),
            SessionError::TooMany { wait, .. } => {
                plain(problem::RATE_LIMITED).retry_after(wait.as_secs() + 1)
            }
            SessionError::KeyFull { .. } | SessionError::Full { .. } => {
                plain(problem::TOO_MANY_ATTEMPTS).retry_after(30)
            }
            SessionError::NoSuch(_) => plain(problem::NOT_FOUND),
            SessionError::NoToken => plain(problem::NO_TOKEN),
            SessionError::OtherToken => plain(problem::WRONG_TOKEN),
            SessionError::State { .. } | SessionError::Checking { .. } | SessionError::Moved => {
                plain(problem::WRONG_STATE)
            }
            SessionError::Late { .. } => plain(problem::TOO_LATE),
            SessionError::Body(_) => plain(problem::BAD_BODY),
            SessionError::Root { .. } => plain(problem::WRONG_ROOT),
            SessionError::BeingChecked => plain(problem::BEING_CHECKED).retry_after(1),
            SessionError::ChecksFull(_) => plain(problem::CHECKS_FULL).retry_after(2),
            SessionError::Stopping => plain(problem::NOT_RECORDED).retry_after(2),
            SessionError::Random(_)
            | SessionError::Damaged(_)
            | SessionError::Thread(_)
            | SessionError::Jcs(_) => {
                crate::diary::event("session_failed", &[("error", &text)]);
                Self::new(
                    problem::INTERNAL,
                    "this step failed; the registry's diary names the cause",
                )
            }
        }
    }
}
