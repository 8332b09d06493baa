//! One pass over a document, value by value, checking everything on the way.

use std::borrow::Cow;

use super::{JsonError, MAX_DEPTH};
use crate::statement::MAX_SAFE_INTEGER;

/// Reads a document from the left. Every value is checked strictly, whether its reader looks at it or skips it.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// Keys of the objects that are open now, innermost last, with the offset of each.
    keys: Vec<(Cow<'a, str>, usize)>,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8], max_bytes: usize) -> Result<Self, JsonError> {
        if bytes.len() > max_bytes {
            return Err(JsonError::TooLarge {
                bytes: bytes.len(),
                limit: max_bytes,
            });
        }
        let text = std::str::from_utf8(bytes).map_err(|error| JsonError::NotUtf8 {
            offset: error.valid_up_to(),
        })?;
        Ok(Self {
            text,
            at: 0,
            depth: 0,
            keys: Vec::new(),
        })
    }

    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// Nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(JsonError::Trailing { offset: self.at }),
        }
    }

    /// Skips one value of any kind.
    pub(crate) fn value(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'{') => self.object(|scanner, _| scanner.value()),
            Some(b'[') => self.array(Self::value),
            Some(b'"') => self.string().map(drop),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected("a value")),
        }
    }

    /// Reads an object; `member` must read the value of each key it is given.
    pub(crate) fn object<E: From<JsonError>>(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{', "an object")?;
        let first_key = self.keys.len();
        let mut more = self.peek() != Some(b'}');
        while more {
            self.peek();
            let offset = self.at;
            let key = self.string()?;
            self.take(b':', "a colon")?;
            member(self, &key)?;
            self.keys.push((key, offset));
            more = self.comma(b'}', "a comma or the end of the object")?;
        }
        self.close();
        unique(&mut self.keys[first_key..])?;
        self.keys.truncate(first_key);
        Ok(())
    }

    /// Reads an array; `element` must read one value each time it is called.
    pub(crate) fn array<E: From<JsonError>>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'[', "an array")?;
        let mut more = self.peek() != Some(b']');
        while more {
            element(self)?;
            more = self.comma(b']', "a comma or the end of the array")?;
        }
        self.close();
        Ok(())
    }

    /// Reads a string; borrows from the document unless it holds escapes.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.take(b'"', "a string")?;
        let start = self.at;
        self.at += plain(&self.text.as_bytes()[start..]);
        if self.text.as_bytes().get(self.at) == Some(&b'"') {
            let plain = &self.text[start..self.at];
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        self.escaped(start).map(Cow::Owned)
    }

    /// The rest of a string whose first escape is here; `start` is the byte after its opening quote.
    fn escaped(&mut self, start: usize) -> Result<String, JsonError> {
        let mut text = self.text[start..self.at].to_owned();
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(0x20..) => {
                    let from = self.at;
                    self.at += plain(&self.text.as_bytes()[from..]);
                    text.push_str(&self.text[from..self.at]);
                }
                _ => return Err(self.unexpected_here("a character of a string, control characters escaped")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let offset = self.at;
        self.at += 1;
        let plain = match self.text.as_bytes().get(self.at) {
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape(offset);
            }
            Some(&byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return Err(self.unexpected_here("one of \"\\/bfnrtu")),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode_escape(&mut self, offset: usize) -> Result<char, JsonError> {
        let lone = || JsonError::LoneSurrogate { offset };
        let high = self.four_digits()?;
        if !(0xD800..=0xDBFF).contains(&high) {
            return char::from_u32(high).ok_or_else(lone);
        }
        if !self.text[self.at..].starts_with("\\u") {
            return Err(lone());
        }
        self.at += 2;
        let low = self.four_digits()?;
        if !(0xDC00..=0xDFFF).contains(&low) {
            return Err(lone());
        }
        char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00)).ok_or_else(lone)
    }

    fn four_digits(&mut self) -> Result<u32, JsonError> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = self
                .text
                .as_bytes()
                .get(self.at)
                .and_then(|&byte| char::from(byte).to_digit(16))
                .ok_or_else(|| self.unexpected_here("a hexadecimal digit"))?;
            value = value * 16 + digit;
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<(), JsonError> {
        if let Some(bytes) = short_integer(&self.text.as_bytes()[self.at..]) {
            self.at += bytes;
            return Ok(());
        }
        let start = self.at;
        if self.next_is(b"-") {
            self.at += 1;
        }
        if self.next_is(b"0") {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let mut integer = true;
        if self.next_is(b".") {
            integer = false;
            self.at += 1;
            self.digits()?;
        }
        if self.next_is(b"eE") {
            integer = false;
            self.at += 1;
            if self.next_is(b"+-") {
                self.at += 1;
            }
            self.digits()?;
        }
        in_range(&self.text[start..self.at], integer, start)
    }

    /// At least one decimal digit.
    fn digits(&mut self) -> Result<(), JsonError> {
        let count = self.text.as_bytes()[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if count == 0 {
            return Err(self.unexpected_here("a digit"));
        }
        self.at += count;
        Ok(())
    }

    fn literal(&mut self, word: &'static str) -> Result<(), JsonError> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.unexpected_here("true, false or null"));
        }
        self.at += word.len();
        Ok(())
    }

    fn open(&mut self, bracket: u8, expected: &'static str) -> Result<(), JsonError> {
        self.take(bracket, expected)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(JsonError::TooDeep {
                offset: self.at - 1,
                level: self.depth,
            });
        }
        Ok(())
    }

    /// Passes the closing bracket that was seen.
    fn close(&mut self) {
        self.at += 1;
        self.depth -= 1;
    }

    /// Whether another member follows; stops before the closing bracket.
    fn comma(&mut self, closing: u8, expected: &'static str) -> Result<bool, JsonError> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == closing => Ok(false),
            _ => Err(self.unexpected(expected)),
        }
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn next_is(&self, any_of: &[u8]) -> bool {
        self.text
            .as_bytes()
            .get(self.at)
            .is_some_and(|byte| any_of.contains(byte))
    }

    /// The next byte after white space.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn unexpected(&mut self, expected: &'static str) -> JsonError {
        self.peek();
        self.unexpected_here(expected)
    }

    fn unexpected_here(&self, expected: &'static str) -> JsonError {
        let offset = self.at;
        match self.text.get(offset..).and_then(|rest| rest.chars().next()) {
            Some(found) => JsonError::Unexpected {
                offset,
                found,
                expected,
            },
            None => JsonError::Ended { offset, expected },
        }
    }
}

/// Bytes before the first quote, backslash or control character.
fn plain(bytes: &[u8]) -> usize {
    /// Several vector registers, looked at in one go.
    const BLOCK: usize = 64;
    // A byte and not a bool: the compiler joins bytes lane by lane and looks at the result once.
    let special = |byte: u8| u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20);
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let clean = |block: &&[u8; BLOCK]| block.iter().fold(0, |any, &byte| any | special(byte)) == 0;
    let whole = blocks.iter().take_while(clean).count() * BLOCK;
    let rest = bytes[whole..].iter().position(|&byte| special(byte) != 0);
    whole + rest.unwrap_or(bytes.len() - whole)
}

/// Bytes of the natural number that `bytes` begin with, if nothing else about it needs a look: nearly every number is one.
fn short_integer(bytes: &[u8]) -> Option<usize> {
    /// 10^15 - 1 is below 2^53.
    const SURELY_SAFE_DIGITS: usize = 15;
    let digits = bytes
        .iter()
        .take(SURELY_SAFE_DIGITS + 1)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let safe = (1..=SURELY_SAFE_DIGITS).contains(&digits) && (digits == 1 || bytes[0] != b'0');
    let ends = !matches!(bytes.get(digits), Some(b'.' | b'e' | b'E'));
    (safe && ends).then_some(digits)
}

/// Refuses numbers that readers would round to another value or to infinity.
fn in_range(text: &str, integer: bool, offset: usize) -> Result<(), JsonError> {
    if integer {
        let magnitude = text.trim_start_matches('-').parse::<u64>();
        if magnitude.is_ok_and(|value| value <= MAX_SAFE_INTEGER) {
            return Ok(());
        }
        return Err(JsonError::IntegerTooLarge {
            text: shortened(text),
            offset,
        });
    }
    if text.parse::<f64>().is_ok_and(f64::is_finite) {
        return Ok(());
    }
    Err(JsonError::NotFinite {
        text: shortened(text),
        offset,
    })
}

/// Enough of a hostile number for a message.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.get(..LONGEST) {
        Some(head) if text.len() > LONGEST => format!("{head}..."),
        _ => text.to_owned(),
    }
}

/// Refuses a key that stands twice among those of one object.
fn unique(keys: &mut [(Cow<'_, str>, usize)]) -> Result<(), JsonError> {
    /// Below this, comparing every pair is faster than sorting.
    const FEW: usize = 12;
    let repeated = if keys.len() <= FEW {
        (1..keys.len()).find(|&later| keys[..later].iter().any(|(key, _)| *key == keys[later].0))
    } else {
        keys.sort_unstable();
        (1..keys.len()).find(|&later| keys[later].0 == keys[later - 1].0)
    };
    match repeated {
        None => Ok(()),
        Some(index) => Err(JsonError::DuplicateKey {
            key: shortened_key(&keys[index].0),
            offset: keys[index].1,
        }),
    }
}

/// Enough of a hostile key for a message.
fn shortened_key(key: &str) -> String {
    key.chars().take(80).collect()
}
