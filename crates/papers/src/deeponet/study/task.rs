//! What is learned from what: functions at sensors, points, and the answers of a reference solver there.

use super::DeepONetSettings;
use crate::explain::explain;
use burn::tensor::{Device, Int, Tensor, TensorData};
use offprint_lab::{Error, Result};
use offprint_operators::{
    solvers::{DiffusionReactionConfig, DynamicSystem},
    spaces::{Domain, FunctionSpace, Functions, GaussianRandomField, GaussianRandomFieldConfig},
};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use rayon::prelude::*;

/// An operator to learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    Antiderivative,
    Nonlinear,
    Pendulum,
    DiffusionReaction,
}

impl System {
    pub const ALL: [Self; 4] = [
        System::Antiderivative,
        System::Nonlinear,
        System::Pendulum,
        System::DiffusionReaction,
    ];

    pub fn name(self) -> &'static str {
        match self {
            System::Antiderivative => "antiderivative",
            System::Nonlinear => "nonlinear",
            System::Pendulum => "pendulum",
            System::DiffusionReaction => "diffusion-reaction",
        }
    }

    /// The ordinary differential equation, if it is one.
    fn equation(self) -> Option<DynamicSystem> {
        match self {
            System::Antiderivative => Some(DynamicSystem::Antiderivative),
            System::Nonlinear => Some(DynamicSystem::Nonlinear),
            System::Pendulum => Some(DynamicSystem::Pendulum { k: 1.0 }),
            System::DiffusionReaction => None,
        }
    }

    /// Whether its answer is a function of time alone.
    pub fn dynamic(self) -> bool {
        self.equation().is_some()
    }

    /// Coordinates of a point.
    pub fn query(self) -> usize {
        if self.dynamic() { 1 } else { 2 }
    }
}

/// Points of the grid of times that the answers of dynamic systems are asked at.
pub const TIMES: usize = 100;

/// Cells of diffusion–reaction's grid in each direction.
const CELLS: usize = 100;

/// Data to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub system: System,
    pub length_scale: f64,
    pub sensors: usize,
    /// Training functions.
    pub functions: usize,
    pub held_out: usize,
    pub points: usize,
    pub horizon: f64,
    pub seed: u64,
}

/// Functions with points and answers.
pub struct Part {
    /// `[functions, sensors]`.
    pub u: Tensor<2>,
    /// `[functions, points, coordinates]`.
    pub y: Tensor<3>,
    /// Numbers of the points in the grid of times; 0 where there is none.
    pub index: Tensor<2, Int>,
    /// `[functions, points]`.
    pub s: Tensor<2>,
}

/// Three disjoint parts.
pub struct Data {
    pub train: Part,
    pub validation: Part,
    pub test: Part,
}

/// Functions of the three parts, before they are read at sensors.
pub struct Drawn {
    field: GaussianRandomField,
    parts: [(Functions, Vec<Answers>); 3],
}

/// One function's points and answers.
struct Answers {
    index: Vec<i64>,
    y: Vec<f32>,
    s: Vec<f32>,
}

impl Task {
    pub fn of_settings(settings: &DeepONetSettings, system: System, seed: u64) -> Self {
        Self {
            system,
            length_scale: settings.length_scale,
            sensors: settings.sensors,
            functions: settings.functions,
            held_out: settings.held_out,
            points: settings.points,
            horizon: settings.horizon,
            seed,
        }
    }

    /// Points of a function.
    fn each(&self) -> usize {
        match self.system.dynamic() {
            true => self.points,
            false => 10 * self.points,
        }
    }

    /// Whether functions drawn for another task serve this one: nothing differs but the number of training functions,
    /// of which there are enough, and of sensors.
    pub fn shares(&self, other: &Self) -> bool {
        let same = Self {
            functions: self.functions,
            sensors: self.sensors,
            ..other.clone()
        };
        same == *self && other.functions >= self.functions
    }

    /// Draws functions and their answers.
    ///
    /// # Errors
    /// A field that cannot be drawn from, or a solver that fails.
    pub fn draw(&self) -> Result<Drawn> {
        let domain = match self.system.dynamic() {
            true => Domain::new(self.horizon).map_err(explain)?,
            false => Domain::unit(),
        };
        let field = GaussianRandomFieldConfig {
            domain,
            ..GaussianRandomFieldConfig::new(self.length_scale)
        };
        let field = field.init().map_err(explain)?;
        let part = |count, stream| self.drawn(&field, count, stream);
        Ok(Drawn {
            parts: [
                part(self.functions, 0)?,
                part(self.held_out, 1)?,
                part(5 * self.held_out, 2)?,
            ],
            field,
        })
    }

    fn drawn(
        &self,
        space: &dyn FunctionSpace,
        count: usize,
        stream: u64,
    ) -> Result<(Functions, Vec<Answers>)> {
        // Some more, in place of those whose solution grows without bound.
        let seed = self.seed.wrapping_mul(4).wrapping_add(stream);
        let drawn = space.draw(count + count / 50 + 2, seed);
        let answers = self.answers(space, &drawn, seed);
        let kept = drawn
            .iter()
            .zip(answers)
            .filter_map(|(u, found)| Some((u, found?)));
        let (functions, answers): (Vec<_>, Vec<_>) = kept.take(count).unzip();
        if functions.len() < count {
            return Err(Error::run(format!(
                "{} of {count} functions have a bounded solution: try a shorter horizon",
                functions.len()
            )));
        }
        let functions = Functions::new(space.features(), functions.concat());
        Ok((functions.map_err(explain)?, answers))
    }

    /// The functions at this task's sensors, as many as it trains on, with points and answers.
    ///
    /// # Errors
    /// None for functions that [`draw`](Self::draw) gave.
    pub fn data(&self, drawn: &Drawn, device: &Device) -> Result<Data> {
        let [train, validation, test] = &drawn.parts;
        let part = |part: &(Functions, Vec<Answers>), count: usize| {
            self.part(&drawn.field, part, count, device)
        };
        Ok(Data {
            train: part(train, self.functions)?,
            validation: part(validation, self.held_out)?,
            test: part(test, 5 * self.held_out)?,
        })
    }

    fn part(
        &self,
        space: &dyn FunctionSpace,
        (functions, answers): &(Functions, Vec<Answers>),
        count: usize,
        device: &Device,
    ) -> Result<Part> {
        let answers = &answers[..count];
        let values = functions.values()[..count * space.features()].to_vec();
        let functions = Functions::new(space.features(), values).map_err(explain)?;
        let u = space
            .evaluate(&functions, &space.domain().grid(self.sensors))
            .map_err(explain)?;
        let u: Vec<f32> = u.into_iter().map(|u| u as f32).collect();
        let (each, query) = (self.each(), self.system.query());
        let all = |of: fn(&Answers) -> &Vec<f32>| -> Vec<f32> {
            answers.iter().flat_map(|a| of(a).iter().copied()).collect()
        };
        let index = answers.iter().flat_map(|a| a.index.iter().copied());
        let index: Vec<i64> = index.collect();
        Ok(Part {
            u: Tensor::from_data(TensorData::new(u, [count, self.sensors]), device),
            y: Tensor::from_data(TensorData::new(all(|a| &a.y), [count, each, query]), device),
            index: Tensor::from_data(TensorData::new(index, [count, each]), device),
            s: Tensor::from_data(TensorData::new(all(|a| &a.s), [count, each]), device),
        })
    }

    /// The answers to each function at random points of the grid; none where the solution grows without bound.
    fn answers(
        &self,
        space: &dyn FunctionSpace,
        functions: &Functions,
        seed: u64,
    ) -> Vec<Option<Answers>> {
        let each = self.each();
        let draws = |index: usize| {
            let mut generator = ChaCha8Rng::seed_from_u64(seed);
            generator.set_stream(index as u64);
            move |count: usize| ((u64::from(generator.next_u32()) * count as u64) >> 32) as usize
        };
        if let Some(equation) = self.system.equation() {
            let times = space.domain().grid(TIMES);
            let width = equation.states();
            let states = equation.solve_each(space, functions, &times).into_iter();
            let answers = states.enumerate().map(|(function, states)| {
                let states = states.ok()?;
                let mut draw = draws(function);
                let chosen: Vec<usize> = (0..each).map(|_| draw(TIMES)).collect();
                Some(Answers {
                    index: chosen.iter().map(|&i| i as i64).collect(),
                    y: chosen.iter().map(|&i| times[i] as f32).collect(),
                    s: chosen.iter().map(|&i| states[i * width] as f32).collect(),
                })
            });
            return answers.collect();
        }
        let config = DiffusionReactionConfig {
            cells: CELLS,
            steps: CELLS,
            ..DiffusionReactionConfig::default()
        };
        let solver = config.init().expect("the paper's settings are valid");
        let numbers = (0..functions.len()).into_par_iter();
        let answers = numbers.map(|function| {
            let field = solver.solve(space.function(functions.get(function))).ok()?;
            let mut draw = draws(function);
            let chosen: Vec<_> = (0..each)
                .map(|_| (draw(CELLS + 1), draw(CELLS + 1)))
                .collect();
            let place = |i: usize| i as f32 / CELLS as f32;
            Some(Answers {
                index: vec![0; each],
                y: chosen
                    .iter()
                    .flat_map(|&(i, j)| [place(i), place(j)])
                    .collect(),
                s: chosen
                    .iter()
                    .map(|&(i, j)| field.node(i, j) as f32)
                    .collect(),
            })
        });
        answers.collect()
    }
}

impl Part {
    /// Number of functions.
    pub fn len(&self) -> usize {
        self.u.dims()[0]
    }

    /// Some of its functions.
    pub fn select(&self, rows: &[usize]) -> Self {
        let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let rows = Tensor::<1, Int>::from_data(rows.as_slice(), &self.u.device());
        Self {
            u: self.u.clone().select(0, rows.clone()),
            y: self.y.clone().select(0, rows.clone()),
            index: self.index.clone().select(0, rows.clone()),
            s: self.s.clone().select(0, rows),
        }
    }
}
