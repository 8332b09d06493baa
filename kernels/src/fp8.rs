//! Eight-bit floats of the e4m3 kind (OCP 8-bit Floating Point Specification 1.0): a sign, four bits of exponent with bias 7,
//! three of fraction, no infinities, NaN with all bits but the sign set.

/// One element by its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct E4m3(pub(crate) u8);

impl E4m3 {
    /// The value, which f32 holds exactly.
    pub(crate) fn to_f32(self) -> f32 {
        let size = u32::from(self.0 & 0x7F);
        let sign = u32::from(self.0 & 0x80) << 24;
        let magnitude = match size {
            0x7F => f32::NAN,
            // Multiples of 2^-9.
            0..8 => size as f32 * (1.0 / 512.0),
            // The exponent's bias grows by 120.
            _ => f32::from_bits((size << 20) + (120 << 23)),
        };
        f32::from_bits(magnitude.to_bits() | sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_the_value_of_its_definition() {
        for bits in 0..=u8::MAX {
            let (exponent, fraction) = (i32::from(bits >> 3 & 15), f64::from(bits & 7));
            let magnitude = match exponent {
                0 => fraction / 8.0 * 2f64.powi(-6),
                _ => (1.0 + fraction / 8.0) * 2f64.powi(exponent - 7),
            };
            let want = if bits < 0x80 { magnitude } else { -magnitude };
            let got = E4m3(bits).to_f32();
            match bits & 0x7F {
                0x7F => assert!(got.is_nan()),
                _ => assert_eq!(f64::from(got).to_bits(), want.to_bits(), "{bits:#x}"),
            }
        }
        assert_eq!(E4m3(0x7E).to_f32(), 448.0);
    }
}
