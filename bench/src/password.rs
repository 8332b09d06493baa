//! A key's password: from a file, an environment variable or a prompt, never from the command line.

use std::io::IsTerminal as _;
use std::path::Path;

use crate::exit::{Done, OrFail as _, Outcome, fail};
use crate::files;

const VARIABLE: &str = "HALLMARK_KEY_PASSWORD";

const HINT: &str = "name a file with --password-file, or set HALLMARK_KEY_PASSWORD";

/// The password without its line end.
pub(crate) fn existing(file: Option<&Path>) -> Done<Vec<u8>> {
    match given(file)? {
        Some(password) => Ok(password),
        None => prompt("Password of the key: "),
    }
}

/// A new password, asked for twice when typed.
pub(crate) fn new(file: Option<&Path>) -> Done<Vec<u8>> {
    let password = match given(file)? {
        Some(password) => password,
        None => {
            let first = prompt("Password for the new key: ")?;
            if prompt("The same again: ")? != first {
                return Err(fail!(Usage, "the two passwords differ"));
            }
            first
        }
    };
    if password.is_empty() {
        return Err(fail!(Usage, "the password is empty").hint("--no-password makes an unencrypted key"));
    }
    Ok(password)
}

fn given(file: Option<&Path>) -> Done<Option<Vec<u8>>> {
    if let Some(path) = file {
        return Ok(Some(without_line_end(files::read(path)?)));
    }
    Ok(std::env::var_os(VARIABLE).map(std::os::unix::ffi::OsStringExt::into_vec))
}

fn prompt(question: &str) -> Done<Vec<u8>> {
    if !std::io::stdin().is_terminal() {
        return Err(fail!(
            Usage,
            "the key needs a password and there is no terminal to ask on"
        )
        .hint(HINT));
    }
    rpassword::prompt_password(question)
        .map(String::into_bytes)
        .or_fail(Outcome::Io)
}

fn without_line_end(mut bytes: Vec<u8>) -> Vec<u8> {
    while bytes.last().is_some_and(|&byte| byte == b'\n' || byte == b'\r') {
        bytes.pop();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_may_end_in_a_line_end() {
        assert_eq!(without_line_end(b"two words \r\n".to_vec()), b"two words ");
        assert_eq!(without_line_end(b"\n".to_vec()), b"");
    }
}
