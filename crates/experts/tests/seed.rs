//! Initial values follow the device's seed. Alone in its process, since the generator is shared by all threads.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use offprint_experts::{
    CnnExpertsConfig, CometGateConfig, DSelectKConfig, LocalSearchConfig, MlpConfig, TopKConfig,
};

struct Values(Vec<f32>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        self.0
            .extend(parameter.val().inner().try_into_vec_as::<f32>().unwrap());
    }
}

fn values(seed: u64) -> Vec<f32> {
    let device = Device::flex().autodiff();
    device.seed(seed);
    let mut values = Values(vec![]);
    CometGateConfig::new(4, 5, 2)
        .init(&device)
        .unwrap()
        .visit(&mut values);
    DSelectKConfig::new(4, 5, 2)
        .init(&device)
        .unwrap()
        .visit(&mut values);
    TopKConfig::new(4, 5, 2)
        .with_noisy(true)
        .init(&device)
        .unwrap()
        .visit(&mut values);
    LocalSearchConfig::new(5, 2)
        .init(&device)
        .unwrap()
        .visit(&mut values);
    MlpConfig::new(4, vec![3])
        .init(&device)
        .unwrap()
        .visit(&mut values);
    CnnExpertsConfig::new(2, 16, 16)
        .init(&device)
        .unwrap()
        .visit(&mut values);
    values.0
}

#[test]
fn the_same_seed_gives_the_same_parameters() {
    assert_eq!(values(7), values(7));
    assert_ne!(values(7), values(8));
}
