//! `hallmark keys`: make a signing key, show its public half.

use crate::cli::Keys;
use crate::config::Config;
use crate::exit::Done;
use crate::{answer, password, signer, talk};

pub(super) fn run(keys: Keys, config: &Config) -> Done {
    match keys {
        Keys::New {
            out,
            password_file,
            no_password,
        } => {
            let named = std::env::var_os("HALLMARK_KEY").map(Into::into);
            let path = out.or(named).unwrap_or_else(|| config.key());
            let password = if no_password {
                None
            } else {
                Some(password::new(password_file.as_deref())?)
            };
            let key = signer::make(&path, password.as_deref())?;
            answer::print(&key.public().to_pem())
        }
        Keys::Show { key } => {
            let public = signer::open(&key, config)?.public().clone();
            talk::say(&format!("key id {}", public.id()));
            answer::print(&public.to_pem())
        }
    }
}
