//! Writing a value in canonical form, straight from its `Serialize`.

use std::io::Write as _;

use serde::{Serialize, Serializer};

use super::JcsError;
use super::compound::{List, Members};
use super::number::ecmascript;
use crate::statement::MAX_SAFE_INTEGER;

/// Appends one value.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    fn integer(self, number: i128) -> Result<(), JcsError> {
        if number.unsigned_abs() > u128::from(MAX_SAFE_INTEGER) {
            return Err(JcsError::IntegerTooLarge { number });
        }
        self.raw(&number.to_string())
    }

    pub(super) fn raw(self, text: &str) -> Result<(), JcsError> {
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn string(self, text: &str) -> Result<(), JcsError> {
        write_string(text, self.out);
        Ok(())
    }

    /// Begins `{"variant":`; what closes it is the caller's.
    fn variant(self, variant: &str) -> Self {
        self.out.push(b'{');
        write_string(variant, self.out);
        self.out.push(b':');
        self
    }
}

pub(super) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest
        .iter()
        .position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        out.extend_from_slice(&rest[..at]);
        let short = match rest[at] {
            b'"' => b'"',
            b'\\' => b'\\',
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            _ => b'u',
        };
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            write!(out, "{:04x}", rest[at]).expect("a vector takes every write");
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = JcsError;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Members<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), JcsError> {
        self.raw(if value { "true" } else { "false" })
    }

    fn serialize_i8(self, value: i8) -> Result<(), JcsError> {
        self.integer(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), JcsError> {
        self.integer(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), JcsError> {
        self.integer(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), JcsError> {
        self.integer(value.into())
    }

    fn serialize_u8(self, value: u8) -> Result<(), JcsError> {
        self.integer(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), JcsError> {
        self.integer(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), JcsError> {
        self.integer(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), JcsError> {
        self.integer(value.into())
    }

    fn serialize_f32(self, value: f32) -> Result<(), JcsError> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), JcsError> {
        if !value.is_finite() {
            return Err(JcsError::NotFinite {
                number: value.to_string(),
            });
        }
        self.raw(&ecmascript(value))
    }

    fn serialize_char(self, value: char) -> Result<(), JcsError> {
        self.string(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), JcsError> {
        self.string(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), JcsError> {
        value.serialize(self)
    }

    fn serialize_none(self) -> Result<(), JcsError> {
        self.raw("null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), JcsError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), JcsError> {
        self.raw("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), JcsError> {
        self.raw("null")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), JcsError> {
        self.string(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), JcsError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), JcsError> {
        let writer = self.variant(variant);
        value.serialize(Writer::new(writer.out))?;
        writer.raw("}")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, JcsError> {
        Ok(List::open(self.out, "]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'a>, JcsError> {
        Ok(List::open(self.out, "]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a>, JcsError> {
        Ok(List::open(self.out, "]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'a>, JcsError> {
        Ok(List::open(self.variant(variant).out, "]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'a>, JcsError> {
        Ok(Members::open(self.out, "}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a>, JcsError> {
        Ok(Members::open(self.out, "}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Members<'a>, JcsError> {
        Ok(Members::open(self.variant(variant).out, "}}"))
    }
}
