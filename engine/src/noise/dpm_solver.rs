//! DPM-Solver and DPM-Solver++ (Lu et al., arXiv 2206.00927 and 2211.01095), in steps that look back.

use candle_core::{Result, Tensor};

use super::config::SchedulerConfig;
use super::multistep::{Level, Levels, Rounding};
use super::sampler::{Sampler, Stepped, sum};
use super::source::NoiseSource;

/// Below this many steps the last ones are of lower order.
const FEW_STEPS: usize = 15;

/// Which equation is solved, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    /// The deterministic one, of the noise.
    Noise,
    /// The deterministic one, of the clean sample.
    Clean,
    /// The stochastic one, of the noise.
    StochasticNoise,
    /// The stochastic one, of the clean sample.
    StochasticClean,
}

/// A multistep sampler of up to third order.
pub(super) struct DpmSolver {
    levels: Levels,
    algorithm: Algorithm,
    midpoint: bool,
    order: usize,
    lower_at_end: bool,
    first_at_end: bool,
    /// What the last steps' predictions said, the newest last.
    history: Vec<Tensor>,
}

impl DpmSolver {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> std::result::Result<Self, String> {
        let algorithm = match config.word("algorithm_type", "dpmsolver++")? {
            "dpmsolver" => Algorithm::Noise,
            "dpmsolver++" | "deis" => Algorithm::Clean,
            "sde-dpmsolver" => Algorithm::StochasticNoise,
            "sde-dpmsolver++" => Algorithm::StochasticClean,
            other => return Err(format!("algorithm_type: {other} is not known")),
        };
        let order = config.count("solver_order", 2)?;
        if !(1..=3).contains(&order) {
            return Err("solver_order: must lie between 1 and 3".into());
        }
        let to_zero = config.word("final_sigmas_type", "zero")? == "zero";
        let of_noise = matches!(algorithm, Algorithm::Noise | Algorithm::StochasticNoise);
        if of_noise && to_zero {
            let name = config.word("algorithm_type", "dpmsolver")?;
            return Err(format!("final_sigmas_type: {name} needs sigma_min"));
        }
        let midpoint = match config.word("solver_type", "midpoint")? {
            "midpoint" | "logrho" | "bh1" | "bh2" => true,
            "heun" => false,
            other => return Err(format!("solver_type: {other} is not midpoint or heun")),
        };
        let levels = Levels::new(config, steps, Rounding::DpmSolver)?;
        let calls = levels.timesteps.len();
        let few = calls < FEW_STEPS;
        let lower = config.flag("lower_order_final", true)?;
        let solver = Self {
            levels,
            algorithm,
            midpoint,
            order,
            lower_at_end: lower && few,
            first_at_end: config.flag("euler_at_final", false)? || (lower && few) || to_zero,
            history: Vec::new(),
        };
        let reaches_third =
            (0..calls).any(|index| solver.order_at(index, order.min(index + 1)) == 3);
        if reaches_third && algorithm == Algorithm::StochasticNoise {
            let cause = "sde-dpmsolver has no third order, and this many steps would reach it";
            return Err(format!("solver_order: {cause}"));
        }
        Ok(solver)
    }

    /// The order of the step at `index` when so many predictions are `known`.
    fn order_at(&self, index: usize, known: usize) -> usize {
        match self.levels.timesteps.len() - index {
            1 if self.first_at_end => 1,
            2 if self.lower_at_end => known.min(2),
            _ => known,
        }
    }

    /// How a step goes on from the sample, the newest prediction and noise.
    fn first(&self, from: Level, to: Level) -> (f64, f64, f64) {
        let h = to.lambda - from.lambda;
        match self.algorithm {
            Algorithm::Clean => (to.sigma / from.sigma, -to.alpha * (-h).exp_m1(), 0.0),
            Algorithm::Noise => (to.alpha / from.alpha, -to.sigma * h.exp_m1(), 0.0),
            Algorithm::StochasticClean => {
                let gone = -(-2.0 * h).exp_m1();
                let kept = to.sigma / from.sigma * (-h).exp();
                (kept, to.alpha * gone, to.sigma * gone.sqrt())
            }
            Algorithm::StochasticNoise => (
                to.alpha / from.alpha,
                -2.0 * to.sigma * h.exp_m1(),
                to.sigma * (2.0 * h).exp_m1().sqrt(),
            ),
        }
    }

    /// The weight of the first difference in a step of second order.
    fn second(&self, from: Level, to: Level) -> f64 {
        let h = to.lambda - from.lambda;
        if self.midpoint {
            return 0.5 * self.first(from, to).1;
        }
        self.slope(h, to)
    }

    /// The weight of the slope in a step by Heun's method, or of third order.
    fn slope(&self, h: f64, to: Level) -> f64 {
        match self.algorithm {
            Algorithm::Clean => to.alpha * ((-h).exp_m1() / h + 1.0),
            Algorithm::Noise => -to.sigma * (h.exp_m1() / h - 1.0),
            Algorithm::StochasticClean => to.alpha * ((-2.0 * h).exp_m1() / (2.0 * h) + 1.0),
            Algorithm::StochasticNoise => -2.0 * to.sigma * (h.exp_m1() / h - 1.0),
        }
    }

    /// The weight of the curvature in a step of third order.
    fn curvature(&self, h: f64, to: Level) -> f64 {
        match self.algorithm {
            Algorithm::Clean => -to.alpha * (((-h).exp_m1() + h) / (h * h) - 0.5),
            Algorithm::Noise | Algorithm::StochasticNoise => {
                -to.sigma * ((h.exp_m1() - h) / (h * h) - 0.5)
            }
            Algorithm::StochasticClean => {
                let twice = 2.0 * h;
                to.alpha * ((-(-twice).exp_m1() - twice) / (twice * twice) - 0.5)
            }
        }
    }
}

impl Sampler for DpmSolver {
    fn timesteps(&self) -> &[f64] {
        &self.levels.timesteps
    }

    fn step(
        &mut self,
        prediction: &Tensor,
        index: usize,
        sample: &Tensor,
        noise: &mut dyn NoiseSource,
    ) -> Result<Stepped> {
        let (clean, of_noise) = self.levels.parts(prediction, sample, index)?;
        let said = match self.algorithm {
            Algorithm::Clean | Algorithm::StochasticClean => clean.clone(),
            Algorithm::Noise | Algorithm::StochasticNoise => of_noise,
        };
        let old = (self.history.len() + 1).saturating_sub(self.order);
        self.history.drain(..old.min(self.history.len()));
        self.history.push(said);
        let order = self.order_at(index, self.history.len());
        let levels = &self.levels.levels;
        let (from, to) = (levels[index], levels[index + 1]);
        let (of_sample, of_newest, spread) = self.first(from, to);
        let newest = &self.history[self.history.len() - 1];
        let mut next = sum(&[(of_sample, sample), (of_newest, newest)])?;
        let h = to.lambda - from.lambda;
        if order > 1 {
            let before = &self.history[self.history.len() - 2];
            let r0 = (from.lambda - levels[index - 1].lambda) / h;
            let slope = sum(&[(1.0 / r0, newest), (-1.0 / r0, before)])?;
            if order > 2 {
                let r1 = (levels[index - 1].lambda - levels[index - 2].lambda) / h;
                let earlier = &self.history[self.history.len() - 3];
                let steeper = sum(&[(1.0 / r1, before), (-1.0 / r1, earlier)])?;
                let bend = (&slope - steeper)?;
                let slope = sum(&[(1.0, &slope), (r0 / (r0 + r1), &bend)])?;
                let curved = self.curvature(h, to) / (r0 + r1);
                next = sum(&[(1.0, &next), (self.slope(h, to), &slope), (curved, &bend)])?;
            } else {
                next = sum(&[(1.0, &next), (self.second(from, to), &slope)])?;
            }
        }
        if matches!(self.algorithm, Algorithm::StochasticClean | Algorithm::StochasticNoise) {
            next = sum(&[(1.0, &next), (spread, &noise.next(sample)?)])?;
        }
        Ok(Stepped { sample: next, clean })
    }

    fn add_noise(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        self.levels.add_noise(clean, noise, index)
    }
}
