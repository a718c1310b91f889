//! The recurrences alone: gated, retention, ungated, selective scan.

use super::{contracted, device, gradient, optional, tracked};
use crate::explain::explain;
use burn::tensor::{Device, Tensor};
use offprint_kernels::{
    Activation, activate,
    gated_recurrence::{Decay, Sequence, chunked_with_state, parallel, recurrent_with_state},
    selective_scan_with_state,
};
use offprint_lab::{
    Error, Result,
    golden::{Array, Case, Outputs},
};
use offprint_layers::FeatureMap;

/// Inputs of a recurrence, `[batch, time, head, dim]`, with gradients.
struct Given {
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    log_decay: Option<Tensor<4>>,
    state: Option<Tensor<4>>,
}

/// A form of the recurrence; the parallel one has no last state, and refuses strong decays.
type Form = fn(Sequence) -> Option<(Tensor<4>, Option<Tensor<4>>)>;

const FORMS: [Form; 3] = [
    |sequence| {
        let (o, state) = chunked_with_state(sequence);
        Some((o, Some(state)))
    },
    |sequence| {
        let (o, state) = recurrent_with_state(sequence);
        Some((o, Some(state)))
    },
    |sequence| Some((parallel(sequence).ok()?, None)),
];

impl Given {
    fn load(case: &Case, device: &Device) -> Result<Self> {
        Ok(Self {
            q: tracked(case, "in.q", device)?,
            k: tracked(case, "in.k", device)?,
            v: tracked(case, "in.v", device)?,
            log_decay: optional(case, "in.log_decay", device)?,
            state: optional(case, "in.initial_state", device)?,
        })
    }

    /// Result, last state, loss and gradients by one form.
    fn outputs(
        &self,
        case: &Case,
        form: Form,
        turned: bool,
        map: FeatureMap,
        decay: &Decay,
    ) -> Result<Option<Outputs>> {
        // Cases of retention and ungated attention hold `[batch, head, time, dim]`.
        let turn = |x: Tensor<4>| if turned { x.swap_dims(1, 2) } else { x };
        let sequence = Sequence {
            state: self.state.clone(),
            ..Sequence::new(
                turn(map.forward(self.q.clone())),
                turn(map.forward(self.k.clone())),
                turn(self.v.clone()),
                decay.clone(),
            )
        };
        let Some((o, state)) = form(sequence) else {
            return Ok(None);
        };
        let o = turn(o);
        let mut loss = contracted(case, "in.cotangent", &o)?;
        let mut outputs = Outputs::default();
        match state {
            Some(state) => {
                loss = loss + contracted(case, "in.state_cotangent", &state)?;
                if case.has("out.final_state") {
                    outputs.put("out.final_state", state);
                }
            }
            // Gradients of a loss that asks for the last state are not those of the result alone.
            None if case.has("in.state_cotangent") => {
                outputs.put("out.o", o);
                return Ok(Some(outputs));
            }
            None => {}
        }
        outputs.put("out.o", o);
        outputs.put("out.loss", scalar(&loss));
        let gradients = loss.backward();
        let named = [
            ("q", Some(&self.q)),
            ("k", Some(&self.k)),
            ("v", Some(&self.v)),
        ];
        let more = [
            ("log_decay", self.log_decay.as_ref()),
            ("initial_state", self.state.as_ref()),
        ];
        for (name, tensor) in named.into_iter().chain(more) {
            if let Some(tensor) = tensor {
                outputs.put(&format!("grad.{name}"), gradient(tensor, &gradients));
            }
        }
        Ok(Some(outputs))
    }

    /// What is farthest from the case of all forms: a case passes if each of them does.
    fn worst(&self, case: &Case, turned: bool, map: FeatureMap, decay: &Decay) -> Result<Outputs> {
        let mut worst = Outputs::default();
        for form in FORMS {
            let Some(outputs) = self.outputs(case, form, turned, map, decay)? else {
                continue;
            };
            for (name, array) in outputs.arrays {
                let farther = match worst.arrays.remove(&name) {
                    Some(other) => farther(case.array(&name)?, other, array),
                    None => array,
                };
                worst.arrays.insert(name, farther);
            }
        }
        Ok(worst)
    }
}

/// Element by element, whichever is farther from what is expected; what is not a number is farthest.
fn farther(expected: &Array, a: Array, b: Array) -> Array {
    if a.shape != expected.shape || b.shape != a.shape {
        return b;
    }
    let values = a.values.iter().zip(&b.values).zip(&expected.values);
    let values = values.map(|((a, b), expected)| {
        let distance = |x: &f64| (x - expected).abs();
        if distance(a) >= distance(b) || a.is_nan() {
            *a
        } else {
            *b
        }
    });
    Array::new(a.shape.clone(), values.collect())
}

fn scalar(loss: &Tensor<1>) -> Array {
    Array::scalar(f64::from(loss.clone().into_scalar::<f32>()))
}

pub(super) fn recurrence(case: &Case) -> Result<Outputs> {
    let given = Given::load(case, &device())?;
    let Some(decay) = &given.log_decay else {
        return Err(Error::input("a recurrence needs in.log_decay"));
    };
    let decay = Decay::channels(decay.clone()).map_err(explain)?;
    given.worst(case, false, FeatureMap::Identity, &decay)
}

pub(super) fn retention(case: &Case) -> Result<Outputs> {
    let given = Given::load(case, &device())?;
    let [_, heads, ..] = given.q.dims();
    given.worst(case, true, FeatureMap::Identity, &Decay::retention(heads))
}

pub(super) fn linear_attention(case: &Case) -> Result<Outputs> {
    let map = match case.config.get("feature_map") {
        Some(_) => case.config("feature_map")?,
        None => FeatureMap::Identity,
    };
    Given::load(case, &device())?.worst(case, true, map, &Decay::None)
}

pub(super) fn selective_scan(case: &Case) -> Result<Outputs> {
    let device = device();
    let of = |name: &str| tracked::<3>(case, name, &device);
    let [u, delta, b, c] = [of("in.u")?, of("in.delta")?, of("in.b")?, of("in.c")?];
    let a_log = tracked::<2>(case, "param.a_log", &device)?;
    let bias = tracked::<1>(case, "param.delta_bias", &device)?;
    let skip = match case.config("skip")? {
        true => Some(tracked::<1>(case, "param.skip", &device)?),
        false => None,
    };
    let z = match case.config("gate")? {
        true => Some(of("in.z")?),
        false => None,
    };
    let begun = optional::<3>(case, "in.initial_state", &device)?;
    let steps = activate(
        delta.clone() + bias.clone().unsqueeze::<3>(),
        Activation::Softplus,
    );
    let rates = a_log.clone().exp().neg();
    let (mut y, state) =
        selective_scan_with_state(u.clone(), steps, rates, b.clone(), c.clone(), begun.clone());
    if let Some(skip) = &skip {
        y = y + u.clone() * skip.clone().unsqueeze::<3>();
    }
    if let Some(z) = &z {
        y = y * activate(z.clone(), Activation::Silu);
    }
    let loss =
        contracted(case, "in.cotangent", &y)? + contracted(case, "in.state_cotangent", &state)?;
    let mut outputs = Outputs::default();
    outputs.put("out.y", y);
    outputs.put("out.final_state", state);
    outputs.put("out.loss", scalar(&loss));
    let gradients = loss.backward();
    for (name, tensor) in [("u", &u), ("delta", &delta), ("b", &b), ("c", &c)] {
        outputs.put(&format!("grad.{name}"), gradient(tensor, &gradients));
    }
    for (name, tensor) in [("z", z), ("initial_state", begun)] {
        if let Some(tensor) = tensor {
            outputs.put(&format!("grad.{name}"), gradient(&tensor, &gradients));
        }
    }
    outputs.put("grad.a_log", gradient(&a_log, &gradients));
    outputs.put("grad.delta_bias", gradient(&bias, &gradients));
    if let Some(skip) = skip {
        outputs.put("grad.skip", gradient(&skip, &gradients));
    }
    Ok(outputs)
}
