//! Whether what the library computed is what the case says.

use super::{Array, Case, Outputs};
use serde::Serialize;
use serde_json::Value;

/// The largest error of a case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Largest {
    /// Where: the tensor and the element.
    pub place: String,
    /// |ours − expected|.
    pub absolute: f64,
    /// |ours − expected| / |expected|; 0 where both are 0.
    pub relative: f64,
    /// |ours − expected| / (atol + rtol·|expected|): at most 1 passes.
    pub of_tolerance: f64,
}

/// Compares all of a case's `out.*` and `grad.*` (or `out` of JSON) with what was computed; the largest error by its
/// share of the tolerance, and why the case fails.
pub fn compare(case: &Case, outputs: &Outputs) -> (Option<Largest>, Option<String>) {
    let mut comparison = Comparison {
        case,
        largest: None,
        failure: None,
    };
    for (name, expected) in &case.tensors {
        if !name.starts_with("out.") && !name.starts_with("grad.") {
            continue;
        }
        match outputs.arrays.get(name) {
            Some(ours) => comparison.array(name, ours, expected),
            None => comparison.fail(format!("{name} was not computed")),
        }
    }
    if !case.output.is_null() {
        comparison.value("out", &outputs.value, &case.output);
    } else if comparison.largest.is_none() {
        comparison.fail("the case has nothing to compare".into());
    }
    (comparison.largest, comparison.failure)
}

struct Comparison<'a> {
    case: &'a Case,
    largest: Option<Largest>,
    failure: Option<String>,
}

impl Comparison<'_> {
    /// Keeps the first failure.
    fn fail(&mut self, message: String) {
        self.failure.get_or_insert(message);
    }

    fn array(&mut self, name: &str, ours: &Array, expected: &Array) {
        // A scalar may be computed as one element.
        let scalar = |array: &Array| array.values.len() == 1;
        if ours.shape != expected.shape && !(scalar(ours) && scalar(expected)) {
            let (ours, expected) = (&ours.shape, &expected.shape);
            return self.fail(format!("{name} has shape {ours:?}, expected {expected:?}"));
        }
        for (index, (&ours, &expected)) in ours.values.iter().zip(&expected.values).enumerate() {
            self.number(&format!("{name}[{index}]"), ours, expected);
        }
    }

    fn number(&mut self, place: &str, ours: f64, expected: f64) {
        let absolute = (ours - expected).abs();
        let tolerance = self.case.atol + self.case.rtol * expected.abs();
        let of_tolerance = if absolute == 0.0 {
            0.0
        } else {
            absolute / tolerance
        };
        let relative = if absolute == 0.0 {
            0.0
        } else {
            absolute / expected.abs()
        };
        // A NaN, of ours, fails and is the largest.
        if of_tolerance > 1.0 || of_tolerance.is_nan() {
            self.fail(format!("{place} = {ours:e}, expected {expected:e}"));
        }
        let larger = |l: &Largest| of_tolerance > l.of_tolerance || of_tolerance.is_nan();
        if self.largest.as_ref().is_none_or(larger) {
            let place = place.to_string();
            self.largest = Some(Largest {
                place,
                absolute,
                relative,
                of_tolerance,
            });
        }
    }

    fn value(&mut self, place: &str, ours: &Value, expected: &Value) {
        match (ours, expected) {
            (Value::Number(a), Value::Number(b)) => {
                let number = |n: &serde_json::Number| n.as_f64().unwrap_or(f64::NAN);
                self.number(place, number(a), number(b));
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (index, (a, b)) in a.iter().zip(b).enumerate() {
                    self.value(&format!("{place}[{index}]"), a, b);
                }
            }
            (Value::Object(a), Value::Object(b)) => {
                for (key, b) in b {
                    let place = format!("{place}.{key}");
                    match a.get(key) {
                        Some(a) => self.value(&place, a, b),
                        None => self.fail(format!("{place} was not computed")),
                    }
                }
            }
            (a, b) if a == b => {}
            (a, b) => self.fail(format!("{place} = {a}, expected {b}")),
        }
    }
}
