//! Transport along a circle, without and with diffusion.

use crate::error::{Result, check, check_finite, check_not_negative};
use std::f64::consts::TAU;

/// `s_t + s_x = 0`, periodic on `[0, 1]`: the profile moves to the right, `s(x, t) = s(frac(x − t), 0)`.
///
/// The paper's profiles are `V(sin² πx)`, periodic for every `V`.
///
/// # Errors
/// If `x` or `t` is not finite.
pub fn advection(initial: impl Fn(f64) -> f64, x: f64, t: f64) -> Result<f64> {
    check_finite("x", &[x])?;
    check_finite("t", &[t])?;
    Ok(initial((x - t).rem_euclid(1.0)))
}

/// `s_t + s_x = D s_xx`, periodic on `[0, 1]`, by the Fourier series of its profile:
/// `s(x, t) = Σ_k e^(−D (2πk)² t) (a_k cos 2πk(x − t) + b_k sin 2πk(x − t))`.
#[derive(Clone, Debug, PartialEq)]
pub struct AdvectionDiffusion {
    diffusion: f64,
    /// `a_k` and `b_k`.
    series: Vec<[f64; 2]>,
}

impl AdvectionDiffusion {
    /// From a profile, sampled at `2 modes` points.
    ///
    /// # Errors
    /// If `diffusion` is negative or not finite, there is no mode or more than 4,096, or the profile is not finite.
    pub fn new(initial: impl Fn(f64) -> f64, diffusion: f64, modes: usize) -> Result<Self> {
        check_not_negative("D", diffusion)?;
        check((1..=4096).contains(&modes), "modes", modes, "1 to 4096")?;
        let count = 2 * modes;
        let samples: Vec<f64> = (0..count)
            .map(|i| initial(i as f64 / count as f64))
            .collect();
        check_finite("profile", &samples)?;
        let circle: Vec<(f64, f64)> = (0..count)
            .map(|i| (TAU * i as f64 / count as f64).sin_cos())
            .collect();
        let term = |k: usize| {
            // The highest cosine is seen at its extremes only, its sine not at all.
            let scale = if k == 0 || k == modes { 1.0 } else { 2.0 } / count as f64;
            let (mut a, mut b) = (0.0, 0.0);
            for (i, value) in samples.iter().enumerate() {
                let (sine, cosine) = circle[i * k % count];
                a += value * cosine;
                b += value * sine;
            }
            [scale * a, if k == modes { 0.0 } else { scale * b }]
        };
        Ok(Self {
            diffusion,
            series: (0..=modes).map(term).collect(),
        })
    }

    /// `s(x, t)`.
    ///
    /// # Errors
    /// If `x` is not finite, or `t` is negative or not finite.
    pub fn at(&self, x: f64, t: f64) -> Result<f64> {
        check_finite("x", &[x])?;
        check_not_negative("t", t)?;
        let (step_sine, step_cosine) = (TAU * (x - t)).sin_cos();
        let (mut sine, mut cosine, mut sum) = (0.0, 1.0, 0.0);
        for (k, [a, b]) in self.series.iter().enumerate() {
            let decay = (-self.diffusion * (TAU * k as f64).powi(2) * t).exp();
            sum += decay * (a * cosine + b * sine);
            (sine, cosine) = (
                sine * step_cosine + cosine * step_sine,
                cosine * step_cosine - sine * step_sine,
            );
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(x: f64) -> f64 {
        let z = (std::f64::consts::PI * x).sin().powi(2);
        z * z - 0.3 * z + 0.1
    }

    #[test]
    fn one_round_brings_a_profile_back() {
        for x in [0.0, 0.3, 1.0] {
            let start = advection(profile, x, 0.0).unwrap();
            assert!((advection(profile, x, 1.0).unwrap() - start).abs() < 1e-14);
            assert!((advection(profile, x, 0.25).unwrap() - profile(x - 0.25)).abs() < 1e-14);
        }
        assert!(advection(profile, f64::NAN, 0.0).is_err());
    }

    /// Without diffusion it is advection; with it the mean stays and the rest decays as its frequency says.
    #[test]
    fn diffusion_keeps_the_mean() {
        let still = AdvectionDiffusion::new(profile, 0.0, 16).unwrap();
        for (x, t) in [(0.1, 0.0), (0.7, 0.4), (1.0, 2.3)] {
            let wanted = advection(profile, x, t).unwrap();
            assert!((still.at(x, t).unwrap() - wanted).abs() < 1e-13);
        }
        let spread = AdvectionDiffusion::new(profile, 0.1, 16).unwrap();
        let mean = (0..64).map(|i| profile(f64::from(i) / 64.0)).sum::<f64>() / 64.0;
        assert!((spread.at(0.3, 100.0).unwrap() - mean).abs() < 1e-12);
        let wave = AdvectionDiffusion::new(|x| (TAU * 3.0 * x).sin(), 0.01, 8).unwrap();
        let wanted =
            (-0.01 * (TAU * 3.0_f64).powi(2) * 0.5).exp() * (TAU * 3.0 * (0.2 - 0.5)).sin();
        assert!((wave.at(0.2, 0.5).unwrap() - wanted).abs() < 1e-13);
    }

    #[test]
    fn settings_out_of_range() {
        let say = |d, modes| {
            AdvectionDiffusion::new(profile, d, modes)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            say(-1.0, 4),
            "D = -1, but it must be a finite number of at least 0"
        );
        assert_eq!(say(0.1, 0), "modes = 0, but it must be 1 to 4096");
        assert!(AdvectionDiffusion::new(|_| f64::NAN, 0.1, 4).is_err());
        assert!(
            AdvectionDiffusion::new(profile, 0.1, 4)
                .unwrap()
                .at(0.0, -1.0)
                .is_err()
        );
    }
}
