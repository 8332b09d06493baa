//! Signed notes (C2SP signed-note): a text and signature lines under it.
//!
//! ```text
//! <text, one or more lines, the last ended>
//!
//! — <key name> <base64 of key id (4 bytes) and signature>
//! ```
//!
//! What is signed is the text with its last newline, without the empty line. A key is found by its name and id
//! together; a line whose name and id no trusted key has is carried along and decides nothing, so that witnesses can
//! add theirs.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::digest::Sha256;

/// Largest note that is read. A checkpoint has some 400 bytes; each witness adds about 150.
pub const MAX_NOTE_BYTES: usize = 64 << 10;

/// Most signature lines that are read.
pub const MAX_SIGNATURES: usize = 100;

/// Signature lines begin with an em dash and a space.
const DASH: &str = "\u{2014} ";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Every line ends with a newline.
    pub text: String,
    pub signatures: Vec<NoteSignature>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    pub name: String,
    pub key_id: KeyId,
    pub signature: Vec<u8>,
}

/// First four bytes of a hash over a key: a hint for finding it, no proof of anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 4]);

impl KeyId {
    /// Id of an Ed25519 key (note type 0x01), bound to the key's name.
    pub fn ed25519(name: &str, key: &[u8; 32]) -> Self {
        Self::first_of(Sha256::of_parts(&[name.as_bytes(), b"\n\x01", key]))
    }

    /// Id of an ECDSA key (note type 0x02): of its SubjectPublicKeyInfo alone, as Sigstore's logs have it.
    pub fn ecdsa(spki_der: &[u8]) -> Self {
        Self::first_of(Sha256::of(spki_der))
    }

    fn first_of(hash: Sha256) -> Self {
        let [a, b, c, d, ..] = hash.0;
        Self([a, b, c, d])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("the note has {got} bytes, more than {MAX_NOTE_BYTES}")]
    TooLong { got: usize },
    #[error("the note has no empty line between its text and its signatures")]
    NoSignatures,
    #[error("the note's text holds the control character U+{code:04X}")]
    ControlCharacter { code: u32 },
    #[error("the note's last signature line is not ended by a newline")]
    Unended,
    #[error("signature line {line} is not `\u{2014} <name> <base64>`")]
    Line { line: usize },
    #[error("signature line {line} has {got} bytes, too few for a key id and a signature")]
    SignatureLength { line: usize, got: usize },
    #[error("the note has more than {MAX_SIGNATURES} signature lines")]
    TooManySignatures,
    #[error("{name:?} cannot name a key: it must not be empty or hold white space or `+`")]
    Name { name: String },
}

impl Note {
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong { got: note.len() });
        }
        if let Some(c) = note.chars().find(|c| c.is_control() && *c != '\n') {
            return Err(NoteError::ControlCharacter { code: c.into() });
        }
        let at = note.rfind("\n\n").ok_or(NoteError::NoSignatures)?;
        let (text, lines) = (&note[..=at], &note[at + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Unended)?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        let signatures = lines
            .split('\n')
            .enumerate()
            .map(|(i, line)| NoteSignature::parse(line, i + 1))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// The signatures whose line gives this name and key id.
    pub fn signatures_by<'a>(&'a self, name: &'a str, key_id: KeyId) -> impl Iterator<Item = &'a [u8]> {
        self.signatures
            .iter()
            .filter(move |line| line.name == name && line.key_id == key_id)
            .map(|line| line.signature.as_slice())
    }
}

impl NoteSignature {
    fn parse(text: &str, line: usize) -> Result<Self, NoteError> {
        let malformed = || NoteError::Line { line };
        let rest = text.strip_prefix(DASH).ok_or_else(malformed)?;
        let (name, base64) = rest.split_once(' ').ok_or_else(malformed)?;
        check_name(name)?;
        let bytes = STANDARD.decode(base64).map_err(|_| malformed())?;
        match bytes.split_first_chunk::<4>() {
            Some((id, signature)) if !signature.is_empty() => {
                let (key_id, signature) = (KeyId(*id), signature.to_vec());
                Ok(Self {
                    name: name.to_owned(),
                    key_id,
                    signature,
                })
            }
            _ => Err(NoteError::SignatureLength {
                line,
                got: bytes.len(),
            }),
        }
    }
}

/// Refuses what cannot stand as a key's name in a signature line, and so not as a log's origin.
pub fn check_name(name: &str) -> Result<(), NoteError> {
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+') {
        return Err(NoteError::Name {
            name: name.to_owned(),
        });
    }
    Ok(())
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for line in &self.signatures {
            let bytes = [&line.key_id.0[..], &line.signature].concat();
            writeln!(f, "{DASH}{} {}", line.name, STANDARD.encode(bytes))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str =
        "If you think cryptography is the answer\n\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBt\n";

    #[test]
    fn a_note_reads_and_writes_back() {
        let note = Note::parse(GOOD).unwrap();
        assert_eq!(note.text, "If you think cryptography is the answer\n");
        assert_eq!(note.signatures[0].name, "PeterNeumann");
        assert_eq!(note.signatures[0].key_id.to_string(), "c74f20a3");
        assert_eq!(note.to_string(), GOOD);
    }

    #[test]
    fn key_ids_depend_on_the_name_for_ed25519_only() {
        assert_ne!(KeyId::ed25519("a", &[7; 32]), KeyId::ed25519("b", &[7; 32]));
        assert_eq!(KeyId::ecdsa(b"spki"), KeyId::first_of(Sha256::of(b"spki")));
    }

    #[test]
    fn malformed_notes_are_refused_with_the_line_at_fault() {
        let cases: [(String, NoteError); 9] = [
            (GOOD.replace("\n\n", "\n"), NoteError::NoSignatures),
            (
                GOOD.replace("If", "\u{7}If"),
                NoteError::ControlCharacter { code: 7 },
            ),
            (
                GOOD.replace("If", "\rIf"),
                NoteError::ControlCharacter { code: 13 },
            ),
            (GOOD.trim_end().to_owned(), NoteError::Unended),
            (GOOD.replace('\u{2014}', "-"), NoteError::Line { line: 1 }),
            (GOOD.replace("VBt\n", "VB\n"), NoteError::Line { line: 1 }),
            (
                format!("{GOOD}\u{2014} n AAAAAA==\n"),
                NoteError::SignatureLength { line: 2, got: 4 },
            ),
            (
                GOOD.replace("PeterNeumann", "Peter+Neumann"),
                NoteError::Name {
                    name: "Peter+Neumann".to_owned(),
                },
            ),
            (
                format!("{}\n\n", "x".repeat(MAX_NOTE_BYTES)),
                NoteError::TooLong {
                    got: MAX_NOTE_BYTES + 2,
                },
            ),
        ];
        for (note, want) in cases {
            assert_eq!(Note::parse(&note), Err(want), "{note:.60}");
        }
        let line = "\u{2014} n AAAAAAA=\n";
        let many = |count| Note::parse(&format!("t\n\n{}", line.repeat(count)));
        assert!(many(MAX_SIGNATURES).is_ok());
        assert_eq!(many(MAX_SIGNATURES + 1), Err(NoteError::TooManySignatures));
    }

    #[test]
    fn the_last_empty_line_separates_so_a_text_may_hold_one() {
        let note = Note::parse(&format!("first\n\n{GOOD}")).unwrap();
        assert_eq!(note.text, "first\n\nIf you think cryptography is the answer\n");
    }

    proptest! {
        #[test]
        fn whatever_reads_writes_back_to_the_same_bytes(text in "(a|\n|\u{2014} | |n|AAAAAAA=|\\PC){0,60}") {
            if let Ok(note) = Note::parse(&text) {
                prop_assert_eq!(note.to_string(), text);
            }
        }
    }
}
