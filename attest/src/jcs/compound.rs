//! Arrays and objects in the making.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use serde::{Serialize, ser};

use super::JcsError;
use super::write::{Writer, write_string};

/// An array, closed by `]` and whatever its enum variant needs.
pub(super) struct List<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
    closing: &'static str,
}

impl<'a> List<'a> {
    pub(super) fn open(out: &'a mut Vec<u8>, closing: &'static str) -> Self {
        out.push(b'[');
        Self {
            out,
            first: true,
            closing,
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JcsError> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        value.serialize(Writer::new(self.out))
    }

    fn close(self) -> Result<(), JcsError> {
        Writer::new(self.out).raw(self.closing)
    }
}

/// An object. Values are written as they come and put in the order of their keys at the end.
pub(super) struct Members<'a> {
    out: &'a mut Vec<u8>,
    /// Where the first value begins in `out`.
    start: usize,
    written: Vec<(Cow<'static, str>, Range<usize>)>,
    key: Option<String>,
    closing: &'static str,
}

impl<'a> Members<'a> {
    pub(super) fn open(out: &'a mut Vec<u8>, closing: &'static str) -> Self {
        Self {
            start: out.len(),
            out,
            written: Vec::new(),
            key: None,
            closing,
        }
    }

    fn member<T: Serialize + ?Sized>(&mut self, key: Cow<'static, str>, value: &T) -> Result<(), JcsError> {
        let from = self.out.len() - self.start;
        value.serialize(Writer::new(self.out))?;
        self.written.push((key, from..self.out.len() - self.start));
        Ok(())
    }

    fn close(mut self) -> Result<(), JcsError> {
        self.written.sort_by(|(a, _), (b, _)| utf16_order(a, b));
        if let Some(pair) = self.written.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(JcsError::DuplicateKey {
                key: pair[0].0.clone().into_owned(),
            });
        }
        let values = self.out.split_off(self.start);
        self.out.push(b'{');
        for (index, (key, range)) in self.written.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            write_string(&key, self.out);
            self.out.push(b':');
            self.out.extend_from_slice(&values[range]);
        }
        Writer::new(self.out).raw(self.closing)
    }
}

/// The order of UTF-16 code units, which differs from that of code points beside the surrogates.
fn utf16_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        a.cmp(b)
    } else {
        a.encode_utf16().cmp(b.encode_utf16())
    }
}

impl ser::SerializeSeq for List<'_> {
    type Ok = ();
    type Error = JcsError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JcsError> {
        self.element(value)
    }

    fn end(self) -> Result<(), JcsError> {
        self.close()
    }
}

impl ser::SerializeTuple for List<'_> {
    type Ok = ();
    type Error = JcsError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JcsError> {
        self.element(value)
    }

    fn end(self) -> Result<(), JcsError> {
        self.close()
    }
}

impl ser::SerializeTupleStruct for List<'_> {
    type Ok = ();
    type Error = JcsError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JcsError> {
        self.element(value)
    }

    fn end(self) -> Result<(), JcsError> {
        self.close()
    }
}

impl ser::SerializeTupleVariant for List<'_> {
    type Ok = ();
    type Error = JcsError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JcsError> {
        self.element(value)
    }

    fn end(self) -> Result<(), JcsError> {
        self.close()
    }
}

impl ser::SerializeMap for Members<'_> {
    type Ok = ();
    type Error = JcsError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), JcsError> {
        match serde_json::to_value(key) {
            Ok(serde_json::Value::String(text)) => {
                self.key = Some(text);
                Ok(())
            }
            _ => Err(JcsError::KeyNotText),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JcsError> {
        let key = self.key.take().ok_or(JcsError::KeyNotText)?;
        self.member(Cow::Owned(key), value)
    }

    fn end(self) -> Result<(), JcsError> {
        self.close()
    }
}

impl ser::SerializeStruct for Members<'_> {
    type Ok = ();
    type Error = JcsError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), JcsError> {
        self.member(Cow::Borrowed(key), value)
    }

    fn end(self) -> Result<(), JcsError> {
        self.close()
    }
}

impl ser::SerializeStructVariant for Members<'_> {
    type Ok = ();
    type Error = JcsError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), JcsError> {
        self.member(Cow::Borrowed(key), value)
    }

    fn end(self) -> Result<(), JcsError> {
        self.close()
    }
}
