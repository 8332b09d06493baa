//! How far rope turns a head's pairs: theta, and the scaling of networks that were trained further for longer texts.

use std::f64::consts::TAU;

use serde_json::Value;

use super::Fields;
use crate::generate::error::GenerateError;

#[derive(Clone, Debug)]
pub(super) struct Rope {
    theta: f64,
    scaling: Scaling,
}

#[derive(Clone, Copy, Debug)]
enum Scaling {
    Plain,
    Linear {
        factor: f64,
    },
    Llama3 {
        factor: f64,
        low: f64,
        high: f64,
        /// Tokens of a text of the first training.
        trained: f64,
    },
}

impl Rope {
    /// Radians a token, of each pair of a head of `width`.
    pub(super) fn steps(&self, width: usize) -> Vec<f64> {
        let step = |pair: usize| self.theta.powf(-((2 * pair) as f64) / width as f64);
        (0..width / 2)
            .map(|pair| self.scaling.scaled(step(pair)))
            .collect()
    }
}

impl Scaling {
    /// As transformers' modeling_rope_utils.py. `_compute_llama3_parameters` there: a pair that turns around `high` times or more
    /// within a text of the first training keeps its step, one that does so `low` times or less is slowed by the factor,
    /// and between them goes a straight line.
    fn scaled(self, step: f64) -> f64 {
        match self {
            Self::Plain => step,
            Self::Linear { factor } => step / factor,
            Self::Llama3 {
                factor,
                low,
                high,
                trained,
            } => {
                let rounds = trained * step / TAU;
                let kept = ((rounds - low) / (high - low)).clamp(0.0, 1.0);
                step * (kept + (1.0 - kept) / factor)
            }
        }
    }
}

impl Fields {
    /// Of a network for texts of `longest` tokens. Older writers have `rope_theta` and `rope_scaling`, newer ones both in
    /// `rope_parameters`; where there are both, transformers takes the older ones' too.
    pub(super) fn rope(&self, longest: usize) -> Result<Rope, GenerateError> {
        let places = ["rope_scaling", "rope_parameters"].into_iter();
        let mut found = places.filter_map(|place| Some((place, self.field(place)?)));
        let (place, found) = found.next().unwrap_or(("rope_parameters", &Value::Null));
        let refused = |supported: &str| self.unsupported(place, found, supported);
        if !found.is_null() && !found.is_object() {
            return Err(refused("it must hold the fields of rope"));
        }
        let turned = &found["partial_rotary_factor"];
        if !turned.is_null() && turned.as_f64() != Some(1.0) {
            return Err(refused("supported are heads that are turned whole"));
        }
        Ok(Rope {
            theta: self.theta(&found["rope_theta"])?,
            scaling: self.scaling(found, longest).map_err(refused)?,
        })
    }

    /// Or what is supported.
    fn scaling(&self, found: &Value, longest: usize) -> Result<Scaling, &'static str> {
        const TRAINED: &str = "original_max_position_embeddings";
        let kinds = [&found["rope_type"], &found["type"]].into_iter();
        let kind = { kinds }.find(|kind| !kind.is_null());
        let number = |name: &str| found[name].as_f64();
        let factor =
            { number("factor").filter(|factor| *factor >= 1.0) }.ok_or("its factor must be 1 or more");
        match kind.map_or(Some("default"), Value::as_str) {
            Some("default") => Ok(Scaling::Plain),
            Some("linear") => Ok(Scaling::Linear { factor: factor? }),
            Some("llama3") => {
                let bounds = number("low_freq_factor").zip(number("high_freq_factor"));
                let (low, high) = { bounds.filter(|(low, high)| 0.0 < *low && low < high) }
                    .ok_or("its low_freq_factor must be above 0 and below its high_freq_factor")?;
                let trained = self.field(TRAINED).or(found.get(TRAINED));
                let trained = { trained.map_or(Some(longest as f64), Value::as_f64) }
                    .filter(|tokens| *tokens >= 1.0)
                    .ok_or("its original_max_position_embeddings must be 1 or more")?;
                Ok(Scaling::Llama3 {
                    factor: factor?,
                    low,
                    high,
                    trained,
                })
            }
            _ => Err("supported are the types default, linear and llama3"),
        }
    }

    /// Beside the scaling, or among the other fields.
    fn theta(&self, beside: &Value) -> Result<f64, GenerateError> {
        let found = Some(beside)
            .filter(|found| !found.is_null())
            .or(self.field("rope_theta"));
        let Some(found) = found else { return Ok(10_000.0) };
        match found.as_f64() {
            Some(theta) if theta > 1.0 => Ok(theta),
            _ => Err(self.unsupported("rope_theta", found, "it must be a number above 1")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn steps(fields: &Value, width: usize) -> Vec<f64> {
        let fields = Fields {
            path: "config.json".into(),
            fields: fields.as_object().expect("fields").clone(),
        };
        fields.rope(131_072).expect("supported").steps(width)
    }

    #[track_caller]
    fn expect_near(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-12, "{got}, not {want}");
    }

    /// Llama 3.1 8B and 3.2 1B. The numbers are from Python's floats: `f = 500000.0 ** (-2 * pair / width)` and
    /// `w = 2 * math.pi / f`, then f where `w < 8192 / 4`, `f / factor` where `w > 8192`, else with `s = (8192 / w - 1) / 3` it is
    /// `(1 - s) * f / factor + s * f`. `_compute_llama3_parameters` of transformers 5.23 gives the same to 3.3e-7, in f32.
    #[test]
    fn the_steps_of_llama_3_1_and_3_2_are_those_counted_elsewhere() {
        let scaling = |factor: f64| {
            json!({"factor": factor, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                   "original_max_position_embeddings": 8192, "rope_type": "llama3"})
        };
        let of_8b = steps(
            &json!({"rope_theta": 500_000.0, "rope_scaling": scaling(8.0)}),
            128,
        );
        for (pair, want) in [
            (0, 1.0),
            (28, 0.003211445994752591),
            (29, 0.002166570763503359),
            (30, 0.0013718935677611381),
            (31, 0.0008567514129196321),
            (32, 0.0005248461609929547),
            (33, 0.00031269375038406517),
            (34, 0.0001785078127679964),
            (35, 9.556212353964683e-05),
            (63, 3.068925988914511e-07),
        ] {
            expect_near(of_8b[pair], want);
        }
        let mut newer = scaling(32.0);
        newer["rope_theta"] = 500_000.0.into();
        let of_1b = steps(&json!({"rope_parameters": newer}), 64);
        for (pair, want) in [
            (14, 0.003211445994752591),
            (15, 0.001290547928209264),
            (16, 0.00042955679655936815),
            (17, 9.70828780262767e-05),
            (18, 1.9461638184831125e-05),
            (31, 9.41830672543491e-08),
        ] {
            expect_near(of_1b[pair], want);
        }
    }

    #[test]
    fn linear_scaling_divides_every_step_and_older_fields_stand_over_newer_ones() {
        let plain = steps(&json!({}), 8);
        for (step, want) in plain.iter().zip([1.0, 0.1, 0.01, 0.001]) {
            expect_near(*step, want);
        }
        let linear = steps(
            &json!({"rope_theta": 1e8, "rope_scaling": {"type": "linear", "factor": 4},
                    "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0}}),
            8,
        );
        for (step, want) in linear.iter().zip([0.25, 0.0025, 2.5e-5, 2.5e-7]) {
            expect_near(*step, want);
        }
    }

    #[test]
    fn the_first_trainings_length_stands_outside_inside_or_is_the_longest() {
        let scaled = |more: &[(&str, u64)], inside: Option<u64>| {
            let mut fields = json!({"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                                     "high_freq_factor": 4.0}});
            for (name, number) in more {
                fields[name] = (*number).into();
            }
            if let Some(number) = inside {
                fields["rope_scaling"]["original_max_position_embeddings"] = number.into();
            }
            steps(&fields, 64)
        };
        let top = [("original_max_position_embeddings", 512)];
        assert_eq!(scaled(&top, Some(64)), scaled(&[], Some(512)));
        assert_eq!(scaled(&[], None), scaled(&[], Some(131_072)));
        assert_ne!(scaled(&[], Some(512)), scaled(&[], Some(131_072)));
    }
}
