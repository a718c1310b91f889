use super::*;
use crate::testing::{assert_close, assert_same, assert_same_for_any_threads, tensor};

struct Inputs {
    u: Tensor<3>,
    step: Tensor<3>,
    rate: Tensor<2>,
    b: Tensor<3>,
    c: Tensor<3>,
    state: Tensor<3>,
}

fn inputs([batch, len, channels, n]: [usize; 4]) -> Inputs {
    Inputs {
        u: tensor([batch, len, channels], 1),
        step: tensor([batch, len, channels], 2),
        rate: tensor([channels, n], 3),
        b: tensor([batch, len, n], 4),
        c: tensor([batch, len, n], 5),
        state: tensor([batch, channels, n], 6),
    }
}

impl Inputs {
    /// Steps above and rates below zero, as functions of what gathers gradients.
    fn arguments(&self, fast: f32) -> (Tensor<3>, Tensor<3>, Tensor<2>, Tensor<3>, Tensor<3>) {
        let delta = self.step.clone().powi_scalar(2);
        let a = self.rate.clone().exp() * -fast;
        (self.u.clone(), delta, a, self.b.clone(), self.c.clone())
    }
}

/// Result and last state in one tensor, so that both have a share in the gradients.
fn both((y, state): (Tensor<3>, Tensor<3>)) -> Tensor<1> {
    let [a, b] = [y, state].map(|x| {
        let count = x.shape().num_elements();
        x.reshape([count])
    });
    Tensor::cat(vec![a, b], 0)
}

#[test]
fn values_and_gradients_equal_the_composition() {
    for sizes in [
        [1, 1, 1, 1],
        [2, 5, 3, 4],
        [1, 33, 16, 2],
        [2, 40, 35, 5],
        [1, 70, 48, 16],
    ] {
        for fast in [0.1, 1.0, 30.0] {
            let x = inputs(sizes);
            let ours = || {
                let (u, delta, a, b, c) = x.arguments(fast);
                both(selective_scan_with_state(
                    u,
                    delta,
                    a,
                    b,
                    c,
                    Some(x.state.clone()),
                ))
            };
            let theirs = || {
                let (u, delta, a, b, c) = x.arguments(fast);
                both(composed(u, delta, a, b, c, Some(x.state.clone())))
            };
            assert_same!(
                ours(),
                theirs(),
                [x.u, x.step, x.rate, x.b, x.c, x.state],
                3e-4
            );
        }
    }
}

#[test]
fn without_a_state() {
    let x = inputs([2, 40, 7, 3]);
    let (u, delta, a, b, c) = x.arguments(1.0);
    let (v, step, rate, d, e) = x.arguments(1.0);
    assert_same!(
        selective_scan(u, delta, a, b, c, None),
        composed(v, step, rate, d, e, None).0,
        [x.u, x.step, x.rate, x.b, x.c],
        3e-4
    );
}

#[test]
fn a_sequence_in_pieces_is_the_whole_sequence() {
    let x = inputs([2, 50, 5, 3]);
    let (u, delta, a, b, c) = x.arguments(1.0);
    let run = |first, length, state| {
        let cut = |x: &Tensor<3>| x.clone().narrow(1, first, length);
        selective_scan_with_state(cut(&u), cut(&delta), a.clone(), cut(&b), cut(&c), state)
    };
    let (whole, last) = run(0, 50, None);
    let (first, state) = run(0, 1, None);
    let (second, state) = run(1, 38, Some(state));
    let (third, state) = run(39, 11, Some(state));
    assert_close(Tensor::cat(vec![first, second, third], 1), whole, 1e-5);
    assert_close(state, last, 1e-5);
}

#[test]
fn nothing_to_do() {
    let x = inputs([1, 0, 3, 2]);
    let (u, delta, a, b, c) = x.arguments(1.0);
    let (y, state) = selective_scan_with_state(u, delta, a, b, c, Some(x.state.clone()));
    assert_eq!(y.dims(), [1, 0, 3]);
    assert_close(state, x.state, 0.0);
}

#[test]
fn is_the_same_for_any_number_of_threads() {
    assert_same_for_any_threads(|| {
        let x = inputs([2, 70, 40, 16]);
        let (u, delta, a, b, c) = x.arguments(1.0);
        let y = selective_scan(u, delta, a, b, c, None);
        let grads = y.powi_scalar(2).sum().backward();
        let mut values = Vec::new();
        for x in [x.u, x.step, x.b] {
            values.extend(x.grad(&grads).unwrap().into_data().iter::<f32>());
        }
        values
    });
}

#[test]
#[should_panic(expected = "scan of [1, 2, 3] with steps [1, 2, 3], rates [4, 2]")]
fn shapes_that_do_not_fit() {
    let x = inputs([1, 2, 3, 2]);
    let (u, delta, _, b, c) = x.arguments(1.0);
    selective_scan(u, delta, tensor([4, 2], 1), b, c, None);
}
