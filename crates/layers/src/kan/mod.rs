//! Kolmogorov-Arnold layers: learnable functions of single numbers, added up.

mod b_spline;
mod group_rational;

pub use b_spline::{BSplineKan, BSplineKanConfig, BSplineNetwork, BSplineNetworkConfig};
pub use group_rational::{
    GroupRationalKan, GroupRationalKanConfig, GroupRationalOptions, WeightStart,
};
