use super::*;
use crate::scratch::scratch_len;
use crate::testing::{assert_same, assert_same_for_any_threads, random, tensor};
use burn::tensor::{Device, TensorData};

const FULL: Attention = Attention {
    causal: false,
    scale: None,
    dropout: None,
};
const CAUSAL: Attention = Attention {
    causal: true,
    ..FULL
};

/// Queries, keys and values for `[batch, queries, keys, heads, kv_heads, dim]`.
fn inputs([batch, queries, keys, heads, kv_heads, dim]: [usize; 6]) -> [Tensor<4>; 3] {
    [
        tensor([batch, queries, heads, dim], 1),
        tensor([batch, keys, kv_heads, dim], 2),
        tensor([batch, keys, kv_heads, dim], 3),
    ]
}

/// [`attention`] by Burn's primitives.
fn expected(
    q: &Tensor<4>,
    k: &Tensor<4>,
    v: &Tensor<4>,
    bias: Option<&Tensor<4>>,
    options: &Attention,
) -> Tensor<4> {
    let ([batch, queries, heads, dim], [_, keys, kv_heads, _]) = (q.dims(), k.dims());
    let sizes = Sizes {
        batch,
        queries,
        keys,
        heads,
        kv_heads,
        dim,
    };
    let kernel = Softmax::new(sizes, options, None, false);
    composed(q.clone(), k.clone(), v.clone(), bias.cloned(), &kernel)
}

fn ours(
    q: &Tensor<4>,
    k: &Tensor<4>,
    v: &Tensor<4>,
    bias: Option<&Tensor<4>>,
    options: &Attention,
) -> Tensor<4> {
    attention(q.clone(), k.clone(), v.clone(), bias.cloned(), options)
}

fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec().unwrap()
}

#[test]
fn values_and_gradients_equal_the_composition() {
    for (sizes, options) in [
        ([1, 1, 1, 1, 1, 1], FULL),
        ([2, 5, 5, 4, 2, 7], CAUSAL),
        ([2, 65, 65, 3, 3, 64], FULL),
        ([1, 128, 128, 4, 4, 32], CAUSAL),
        // Other lengths than one tile of queries and keys, in both directions.
        ([1, 300, 300, 2, 1, 17], CAUSAL),
        ([1, 130, 270, 2, 1, 16], CAUSAL),
        ([1, 70, 33, 3, 1, 20], FULL),
        // One query after many keys, as in generation, and one key.
        ([2, 1, 600, 4, 2, 24], CAUSAL),
        ([2, 1, 17, 2, 2, 33], FULL),
        ([2, 20, 1, 2, 2, 8], FULL),
        // Few heads and many keys: several pieces have a share of the same queries.
        ([1, 40, 1100, 2, 1, 16], FULL),
        ([1, 1100, 1100, 1, 1, 8], CAUSAL),
    ] {
        let [q, k, v] = inputs(sizes);
        assert_same!(
            ours(&q, &k, &v, None, &options),
            expected(&q, &k, &v, None, &options),
            [q, k, v],
            2e-5
        );
    }
}

#[test]
fn another_scale() {
    let [q, k, v] = inputs([1, 9, 9, 2, 2, 12]);
    let options = Attention {
        scale: Some(3.0),
        ..CAUSAL
    };
    assert_same!(
        ours(&q, &k, &v, None, &options),
        expected(&q, &k, &v, None, &options),
        [q, k, v],
        1e-5
    );
}

#[test]
fn a_bias_of_every_shape() {
    for (shape, options) in [
        ([2, 4, 37, 150], FULL),
        ([1, 4, 37, 150], CAUSAL),
        ([2, 1, 37, 150], CAUSAL),
        ([2, 1, 1, 150], FULL),
        ([1, 1, 1, 150], CAUSAL),
    ] {
        let [q, k, v] = inputs([2, 37, 150, 4, 2, 12]);
        let bias = tensor(shape, 4);
        assert_same!(
            ours(&q, &k, &v, Some(&bias), &options),
            expected(&q, &k, &v, Some(&bias), &options),
            [q, k, v, bias],
            2e-5
        );
    }
    let [q, k, v] = inputs([2, 1, 19, 2, 2, 12]);
    let bias = tensor([2, 2, 1, 19], 4);
    assert_same!(
        ours(&q, &k, &v, Some(&bias), &FULL),
        expected(&q, &k, &v, Some(&bias), &FULL),
        [q, k, v, bias],
        1e-5
    );
}

#[test]
fn a_large_scale_of_scores() {
    // The largest score comes in the last tile, and the first ones underflow.
    let [q, k, v] = inputs([1, 20, 200, 1, 1, 8]);
    let ramp: Vec<f32> = (0..200).map(|key| key as f32 * 2.0 - 300.0).collect();
    let ramp = Tensor::from_data(TensorData::new(ramp, [1, 1, 1, 200]), &q.device());
    assert_same!(
        ours(&q, &k, &v, Some(&ramp), &FULL),
        expected(&q, &k, &v, Some(&ramp), &FULL),
        [q, k, v],
        1e-4
    );
}

#[test]
fn rows_that_see_nothing_are_zero() {
    let [q, k, v] = inputs([2, 20, 20, 2, 2, 6]);
    // The second sequence is padding altogether, the first half of it.
    let hidden: Vec<bool> = (0..40).map(|index| index >= 10).collect();
    let hidden = Tensor::from_data(TensorData::new(hidden, [2, 20]), &q.device());
    let bias = padding_bias(hidden);
    for options in [FULL, CAUSAL] {
        let y = ours(&q, &k, &v, Some(&bias), &options);
        assert!(numbers(y.clone())[20 * 12..].iter().all(|y| *y == 0.0));
        assert_same!(
            y,
            expected(&q, &k, &v, Some(&bias), &options),
            [q, k, v],
            1e-5
        );
    }
    // Causal, with more queries than keys: the first queries see nothing.
    let [q, k, v] = inputs([1, 40, 9, 2, 1, 6]);
    let y = ours(&q, &k, &v, None, &CAUSAL);
    assert!(numbers(y.clone())[..31 * 12].iter().all(|y| *y == 0.0));
    assert_same!(y, expected(&q, &k, &v, None, &CAUSAL), [q, k, v], 1e-5);
    // One query, all hidden.
    let [q, k, v] = inputs([1, 1, 3, 1, 1, 2]);
    let bias = Tensor::full([1, 1, 1, 3], f32::NEG_INFINITY, &q.device());
    let y = ours(&q, &k, &v, Some(&bias), &FULL);
    assert_same!(y, expected(&q, &k, &v, Some(&bias), &FULL), [q, k, v], 0.0);
}

#[test]
fn transposed_and_sliced_inputs() {
    let (q, k, v) = (
        tensor([2, 3, 11, 8], 1),
        tensor([2, 15, 3, 8], 2),
        tensor([3, 2, 13, 8], 3),
    );
    let view = || {
        (
            q.clone().swap_dims(1, 2),
            k.clone().slice([0..2, 1..14]),
            v.clone().permute([1, 2, 0, 3]),
        )
    };
    let bias = tensor([13, 11], 4);
    let turned = || bias.clone().transpose().unsqueeze::<4>();
    let run =
        |f: fn(&Tensor<4>, &Tensor<4>, &Tensor<4>, Option<&Tensor<4>>, &Attention) -> Tensor<4>| {
            let (q, k, v) = view();
            f(&q, &k, &v, Some(&turned()), &CAUSAL)
        };
    assert_same!(run(ours), run(expected), [q, k, v, bias], 1e-5);
}

#[test]
fn packed_equals_its_parts() {
    for (batch, len, heads, kv_heads, dim, options) in [
        (2, 70, 4, 2, 9, CAUSAL),
        (3, 65, 3, 3, 16, FULL),
        (1, 600, 2, 1, 8, CAUSAL),
        (2, 1, 2, 2, 5, FULL),
    ] {
        let all = heads + 2 * kv_heads;
        let qkv = tensor([batch, len, all * dim], 1);
        let part = |first: usize, count: usize| {
            let x = qkv.clone().reshape([batch, len, all, dim]);
            x.narrow(2, first, count)
        };
        let (q, k, v) = (
            part(0, heads),
            part(heads, kv_heads),
            part(heads + kv_heads, kv_heads),
        );
        let apart = expected(&q, &k, &v, None, &options).reshape([batch, len, heads * dim]);
        let packed = attention_packed(qkv.clone(), heads, kv_heads, &options);
        assert_same!(packed, apart, [qkv], 2e-5);
    }
}

#[test]
fn dropout_equals_the_composition() {
    for (sizes, causal, seed) in [
        ([2, 70, 140, 4, 2, 9], true, 5),
        ([2, 1, 40, 2, 2, 16], false, 6),
    ] {
        let [q, k, v] = inputs(sizes);
        let bias = tensor([1, 1, 1, sizes[2]], 4);
        let options = Attention {
            causal,
            dropout: Some(Dropout {
                probability: 0.3,
                seed,
            }),
            ..FULL
        };
        assert_same!(
            ours(&q, &k, &v, Some(&bias), &options),
            expected(&q, &k, &v, Some(&bias), &options),
            [q, k, v, bias],
            2e-5
        );
    }
}

#[test]
fn dropout_is_the_seeds_and_fair() {
    let [q, k, v] = inputs([2, 50, 300, 2, 2, 4]).map(Tensor::inner);
    let with = |seed| {
        let dropout = Some(Dropout {
            probability: 0.5,
            seed,
        });
        numbers(ours(&q, &k, &v, None, &Attention { dropout, ..FULL }))
    };
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
    // The mean over seeds is what there is without dropout.
    let plain = numbers(ours(&q, &k, &v, None, &FULL));
    let mut mean = vec![0.0; plain.len()];
    for seed in 0..400 {
        for (mean, y) in mean.iter_mut().zip(with(seed)) {
            *mean += y / 400.0;
        }
    }
    let error = plain
        .iter()
        .zip(&mean)
        .map(|(x, y)| (x - y).powi(2))
        .sum::<f32>()
        / plain.len() as f32;
    // One draw has variance Σ p² v² ≈ 1/900, a mean of 400 that over 400.
    assert!(error < 1.5 / 900.0 / 400.0, "{error}");
}

#[test]
fn nothing_to_attend() {
    for sizes in [[0, 3, 3, 2, 1, 4], [2, 0, 3, 2, 1, 4], [1, 3, 0, 2, 1, 4]] {
        let [q, k, v] = inputs(sizes);
        let y = ours(&q, &k, &v, None, &CAUSAL);
        assert_eq!(y.dims(), q.dims());
        assert!(numbers(y.clone()).iter().all(|y| *y == 0.0));
        let grads = y.sum().backward();
        for x in [q, k, v] {
            let gradient = x.grad(&grads).unwrap();
            assert_eq!(gradient.dims(), x.dims());
            assert!(numbers(gradient).iter().all(|g| *g == 0.0));
        }
    }
}

#[test]
fn constants_get_no_gradient() {
    let [q, k, v] = inputs([1, 4, 4, 1, 1, 4]);
    let bias = tensor([1, 1, 4, 4], 4);
    let y = attention(
        q.clone().detach(),
        k.clone().detach(),
        v.clone().detach(),
        Some(bias.clone()),
        &FULL,
    );
    let grads = y.sum().backward();
    assert!(q.grad(&grads).is_none() && v.grad(&grads).is_none() && bias.grad(&grads).is_some());
}

#[test]
fn what_is_not_a_number_reaches_the_output() {
    let [q, k, v] = inputs([1, 20, 20, 1, 1, 4]).map(Tensor::inner);
    let q = q.slice_fill([0..1, 3..4], f32::NAN);
    let y = numbers(ours(&q, &k, &v, None, &FULL));
    for (query, y) in y.chunks(4).enumerate() {
        assert!(y.iter().all(|y| y.is_nan() == (query == 3)));
    }
}

#[test]
fn is_the_same_for_any_number_of_threads() {
    for (sizes, options) in [
        ([2, 300, 300, 4, 2, 16], CAUSAL),
        ([1, 300, 1100, 2, 1, 16], FULL),
        ([8, 1, 700, 8, 8, 16], FULL),
    ] {
        assert_same_for_any_threads(|| {
            let [q, k, v] = inputs(sizes);
            let bias = tensor([1, 1, 1, sizes[2]], 4);
            let y = ours(&q, &k, &v, Some(&bias), &options);
            let cotangent = random(y.shape().num_elements(), 5);
            let cotangent = Tensor::from_data(TensorData::new(cotangent, y.dims()), &y.device());
            let grads = (y.clone() * cotangent).sum().backward();
            let mut all = numbers(y);
            for x in [q, k, v, bias] {
                all.extend(numbers(x.grad(&grads).unwrap()));
            }
            all
        });
    }
}

#[test]
fn scratch_memory_does_not_grow_with_the_length() {
    let scratch = |len: usize| {
        std::thread::spawn(move || {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(1)
                .build()
                .unwrap();
            pool.install(|| {
                let [q, k, v] = inputs([1, len, len, 8, 8, 8]);
                ours(&q, &k, &v, None, &CAUSAL).sum().backward();
                scratch_len()
            })
        })
        .join()
        .unwrap()
    };
    assert_eq!(scratch(600), scratch(1800));
}

#[test]
#[should_panic(
    expected = "attention of queries [1, 2, 3, 4] to keys [1, 5, 2, 4] with values [1, 5, 2, 4]"
)]
fn heads_that_do_not_divide() {
    let [q, k, v] = inputs([1, 2, 5, 3, 2, 4]);
    ours(&q, &k, &v, None, &FULL);
}

#[test]
#[should_panic(expected = "bias Some([1, 2, 2, 4]) of an attention with scores [1, 2, 2, 5]")]
fn a_bias_that_does_not_fit() {
    let [q, k, v] = inputs([1, 2, 5, 2, 2, 4]);
    ours(&q, &k, &v, Some(&tensor([1, 2, 2, 4], 4)), &FULL);
}

#[test]
fn padding_is_minus_infinity() {
    let hidden = TensorData::new(vec![false, true], [1, 2]);
    let bias = padding_bias(Tensor::from_data(hidden, &Device::flex()));
    assert_eq!(
        (bias.dims(), numbers(bias)),
        ([1, 1, 1, 2], vec![0.0, f32::NEG_INFINITY])
    );
}
