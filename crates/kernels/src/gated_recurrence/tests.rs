use super::*;
use crate::testing::{assert_close, assert_same, assert_same_for_any_threads, tensor};

type Form = fn(Sequence) -> (Tensor<4>, Tensor<4>);

const FORMS: [Form; 2] = [recurrent_with_state, chunked_with_state];

/// Sizes with every kind of remainder: of vectors, of chunks, of segments.
const SIZES: [[usize; 5]; 8] = [
    [1, 1, 1, 1, 1],
    [2, 5, 3, 4, 2],
    [1, 16, 2, 16, 16],
    [2, 17, 1, 33, 20],
    [1, 64, 2, 8, 40],
    [1, 65, 1, 5, 3],
    [1, 130, 2, 17, 18],
    [3, 3, 4, 48, 64],
];

/// Log decays between `low` and 0, more of them near 0, as a function of a tensor that gathers gradients.
fn decay(raw: &Tensor<4>, low: f32) -> Tensor<4> {
    raw.clone().powi_scalar(2) * low
}

struct Inputs {
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    raw: Tensor<4>,
    state: Tensor<4>,
}

fn inputs([batch, len, heads, keys, values]: [usize; 5]) -> Inputs {
    Inputs {
        q: tensor([batch, len, heads, keys], 1),
        k: tensor([batch, len, heads, keys], 2),
        v: tensor([batch, len, heads, values], 3),
        raw: tensor([batch, len, heads, keys], 4),
        state: tensor([batch, heads, keys, values], 5),
    }
}

/// Result and last state in one tensor, so that both have a share in the gradients.
fn both((o, state): (Tensor<4>, Tensor<4>)) -> Tensor<1> {
    let [a, b] = [o, state].map(|x| {
        let count = x.shape().num_elements();
        x.reshape([count])
    });
    Tensor::cat(vec![a, b], 0)
}

#[test]
fn given_decays_equal_the_composition() {
    for sizes in SIZES {
        // From hardly any decay to one that forgets all at once: chunks of either kind.
        for low in [-0.1, -3.0, -20.0, -200.0] {
            let x = inputs(sizes);
            // The gradient of the log decay itself: that of `raw` would multiply its rounding by `low`.
            let log = decay(&x.raw, low).detach().require_grad();
            let sequence = || Sequence {
                state: Some(x.state.clone()),
                ..Sequence::new(
                    x.q.clone(),
                    x.k.clone(),
                    x.v.clone(),
                    Decay::Channels(log.clone()),
                )
            };
            for form in FORMS {
                assert_same!(
                    both(form(sequence())),
                    both(composed::recurrent(sequence())),
                    [x.q, x.k, x.v, log, x.state],
                    3e-4
                );
            }
        }
    }
}

#[test]
fn fixed_and_absent_decays_equal_the_composition() {
    for sizes in SIZES {
        let heads = sizes[2];
        for decay in [
            Decay::None,
            Decay::retention(heads),
            Decay::Heads(vec![-9.0; heads]),
        ] {
            let x = inputs(sizes);
            let sequence = || Sequence::new(x.q.clone(), x.k.clone(), x.v.clone(), decay.clone());
            for form in FORMS {
                assert_same!(
                    both(form(sequence())),
                    both(composed::recurrent(sequence())),
                    [x.q, x.k, x.v],
                    3e-4
                );
            }
        }
    }
}

#[test]
fn without_the_state_the_result_is_the_same() {
    let x = inputs([2, 37, 2, 6, 5]);
    let sequence = || {
        let decay = Decay::Channels(decay(&x.raw, -1.0));
        Sequence::new(x.q.clone(), x.k.clone(), x.v.clone(), decay)
    };
    assert_same!(
        chunked(sequence()),
        chunked_with_state(sequence()).0,
        [x.q, x.raw],
        1e-6
    );
    assert_same!(
        recurrent(sequence()),
        recurrent_with_state(sequence()).0,
        [x.k, x.v],
        1e-6
    );
}

#[test]
fn a_sequence_in_pieces_is_the_whole_sequence() {
    let x = inputs([2, 100, 2, 6, 5]);
    let log = decay(&x.raw, -2.0);
    let piece = |first, length, state| {
        let cut = |x: &Tensor<4>| x.clone().narrow(1, first, length);
        let decay = Decay::Channels(cut(&log));
        Sequence {
            state,
            ..Sequence::new(cut(&x.q), cut(&x.k), cut(&x.v), decay)
        }
    };
    let (whole, last) = chunked_with_state(piece(0, 100, None));
    let (mut outputs, mut state) = (Vec::new(), None);
    for (first, length) in [(0, 1), (1, 30), (31, 16), (47, 53)] {
        let (o, after) = chunked_with_state(piece(first, length, state.take()));
        outputs.push(o);
        state = Some(after);
    }
    assert_close(Tensor::cat(outputs, 1), whole, 1e-5);
    assert_close(state.unwrap(), last, 1e-5);
}

#[test]
fn the_parallel_form_agrees_or_refuses() {
    let x = inputs([2, 40, 2, 6, 5]);
    let sequence = |low| Sequence {
        state: Some(x.state.clone()),
        ..Sequence::new(
            x.q.clone(),
            x.k.clone(),
            x.v.clone(),
            Decay::Channels(decay(&x.raw, low)),
        )
    };
    let mild = || parallel(sequence(-0.5)).unwrap();
    assert_same!(
        mild(),
        chunked(sequence(-0.5)),
        [x.q, x.k, x.v, x.raw, x.state],
        1e-3
    );
    let refused = parallel(sequence(-30.0)).unwrap_err();
    assert!(refused.sum < -80.0 && refused.to_string().contains("allows at least -80"));
    let finite = chunked(sequence(-30.0)).into_data();
    assert!(finite.iter::<f32>().all(f32::is_finite));
}

#[test]
fn what_is_no_number_is_not_hidden() {
    let x = inputs([1, 20, 1, 3, 3]);
    let nan = Tensor::full([1, 20, 1, 3], f32::NAN, &x.q.device());
    let o = chunked(Sequence::new(x.q, x.k, x.v, Decay::Channels(nan)));
    assert!(o.into_data().iter::<f32>().all(f32::is_nan));
}

#[test]
fn a_future_position_changes_nothing_before_it() {
    let x = inputs([1, 40, 1, 5, 4]);
    let with = |v: Tensor<4>| {
        let decay = Decay::Channels(decay(&x.raw, -1.0));
        chunked(Sequence::new(x.q.clone(), x.k.clone(), v, decay)).narrow(1, 0, 23)
    };
    let other = Tensor::cat(
        vec![x.v.clone().narrow(1, 0, 23), tensor([1, 17, 1, 4], 9)],
        1,
    );
    assert_close(with(x.v.clone()), with(other), 0.0);
}

#[test]
fn nothing_to_do() {
    for (batch, len) in [(1, 0), (0, 3)] {
        let x = inputs([batch, len, 2, 3, 4]);
        for form in FORMS {
            let decay = Decay::Channels(x.raw.clone());
            let sequence = Sequence {
                state: Some(x.state.clone()),
                ..Sequence::new(x.q.clone(), x.k.clone(), x.v.clone(), decay)
            };
            let (o, state) = form(sequence);
            assert_eq!(o.dims(), [batch, len, 2, 4]);
            assert_close(state.clone(), x.state.clone(), 0.0);
        }
        let sequence = Sequence::new(x.q.clone(), x.k.clone(), x.v.clone(), Decay::None);
        assert_eq!(parallel(sequence).unwrap().dims(), [batch, len, 2, 4]);
    }
}

#[test]
fn is_the_same_for_any_number_of_threads() {
    assert_same_for_any_threads(|| {
        let x = inputs([3, 70, 4, 20, 24]);
        let decay = Decay::Channels(decay(&x.raw, -3.0));
        let o = chunked(Sequence::new(x.q.clone(), x.k, x.v, decay));
        let mut values: Vec<f32> = o.clone().into_data().try_to_vec().unwrap();
        let grads = o.powi_scalar(2).sum().backward();
        for x in [x.q, x.raw] {
            values.extend(x.grad(&grads).unwrap().into_data().iter::<f32>());
        }
        values
    });
}

#[test]
#[should_panic(expected = "recurrence of queries [1, 2, 1, 3], keys [1, 2, 1, 4]")]
fn shapes_that_do_not_fit() {
    let x = inputs([1, 2, 1, 3, 3]);
    chunked(Sequence::new(
        x.q,
        tensor([1, 2, 1, 4], 1),
        x.v,
        Decay::None,
    ));
}
