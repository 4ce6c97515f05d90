//! UniPC: a predictor and a corrector of one family (Zhao et al., arXiv 2302.04867).

use candle_core::{Result, Tensor};

use super::config::SchedulerConfig;
use super::multistep::{Level, Levels, Rounding};
use super::sampler::{Sampler, Stepped, quotient, sum};
use super::source::NoiseSource;

/// A multistep sampler that corrects each step once the network has seen where it led.
pub(super) struct UniPc {
    levels: Levels,
    order: usize,
    /// B(h) = h in place of eʰ − 1.
    first_kind: bool,
    predicts_clean: bool,
    lower_at_end: bool,
    uncorrected: Vec<usize>,
    /// What the last steps' predictions said, the newest last.
    history: Vec<Tensor>,
    /// The sample before the last step, and that step's order.
    last: Option<(Tensor, usize)>,
    taken: usize,
}

/// The solution of `rows` · x = `right`, by elimination: in single precision, as diffusers has it, for the rows of
/// close levels hardly differ and the rounding is seen.
fn solve(mut rows: Vec<Vec<f32>>, mut right: Vec<f32>) -> Vec<f32> {
    let size = right.len();
    for column in 0..size {
        let pivot = (column..size)
            .max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))
            .unwrap_or(column);
        rows.swap(column, pivot);
        right.swap(column, pivot);
        for row in column + 1..size {
            let (above, below) = rows.split_at_mut(row);
            let (pivot, row_below) = (&above[column], &mut below[0]);
            let factor = row_below[column] / pivot[column];
            for (value, of_pivot) in row_below.iter_mut().zip(pivot).skip(column) {
                *value -= factor * of_pivot;
            }
            right[row] -= factor * right[column];
        }
    }
    let mut solved = vec![0.0; size];
    for row in (0..size).rev() {
        let known: f32 = (row + 1..size).map(|at| rows[row][at] * solved[at]).sum();
        solved[row] = (right[row] - known) / rows[row][row];
    }
    solved
}

impl UniPc {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> std::result::Result<Self, String> {
        let order = config.count("solver_order", 2)?;
        if !(1..=8).contains(&order) {
            return Err("solver_order: must lie between 1 and 8".into());
        }
        let first_kind = match config.word("solver_type", "bh2")? {
            "bh1" => true,
            "bh2" | "midpoint" | "heun" | "logrho" => false,
            other => return Err(format!("solver_type: {other} is not bh1 or bh2")),
        };
        Ok(Self {
            levels: Levels::new(config, steps, Rounding::UniPc)?,
            order,
            first_kind,
            predicts_clean: config.flag("predict_x0", true)?,
            lower_at_end: config.flag("lower_order_final", true)?,
            uncorrected: config.counts("disable_corrector")?,
            history: Vec::new(),
            last: None,
            taken: 0,
        })
    }

    /// From the sample at `from` to the next level, by the predictions of `history` up to `order`, and where
    /// it is given by the one at the next level, `seen`.
    fn transfer(
        &self,
        sample: &Tensor,
        from: usize,
        history: &[Tensor],
        order: usize,
        seen: Option<&Tensor>,
    ) -> Result<Tensor> {
        // All in single precision and diffusers' own order: what is left of φ after it lost its first terms is
        // in good part rounding.
        let single = |at: usize| {
            let Level { alpha, sigma, lambda } = self.levels.levels[at];
            (alpha as f32, sigma as f32, lambda as f32)
        };
        let ((alpha, sigma, lambda), (end_alpha, end_sigma, end_lambda)) =
            (single(from), single(from + 1));
        let h = end_lambda - lambda;
        let newest = &history[history.len() - 1];
        let mut ratios = Vec::new();
        let mut differences = Vec::new();
        for back in 1..order {
            let ratio = (single(from - back).2 - lambda) / h;
            let before = &history[history.len() - 1 - back];
            differences.push(quotient(&(before - newest)?, ratio.into())?);
            ratios.push(ratio);
        }
        ratios.push(1.0);
        let hh = if self.predicts_clean { -h } else { h };
        let grown = hh.exp_m1();
        let b_of_h = if self.first_kind { hh } else { grown };
        let mut phi = grown / hh - 1.0;
        let mut factorial = 1.0f32;
        let (mut rows, mut right) = (Vec::new(), Vec::new());
        for power in 0..order {
            rows.push(ratios.iter().map(|ratio| ratio.powf(power as f32)).collect::<Vec<f32>>());
            right.push(phi * factorial / b_of_h);
            factorial *= (power + 2) as f32;
            phi = phi / hh - 1.0 / factorial;
        }
        let weights = match (seen, order) {
            (Some(_), 1) | (None, 2) => vec![0.5],
            (Some(_), _) => solve(rows, right),
            (None, _) => {
                let size = order - 1;
                rows.truncate(size);
                right.truncate(size);
                solve(rows.into_iter().map(|row| row[..size].to_vec()).collect(), right)
            }
        };
        if let Some(seen) = seen {
            differences.push((seen - newest)?);
        }
        let (of_sample, scale) = if self.predicts_clean {
            (end_sigma / sigma, -end_alpha)
        } else {
            (end_alpha / alpha, -end_sigma)
        };
        let next = sum(&[(of_sample.into(), sample), ((scale * grown).into(), newest)])?;
        if differences.is_empty() {
            return Ok(next);
        }
        let weighed: Vec<_> =
            weights.iter().map(|weight| f64::from(*weight)).zip(&differences).collect();
        sum(&[(1.0, &next), ((scale * b_of_h).into(), &sum(&weighed)?)])
    }
}

impl Sampler for UniPc {
    fn timesteps(&self) -> &[f64] {
        &self.levels.timesteps
    }

    fn step(
        &mut self,
        prediction: &Tensor,
        index: usize,
        sample: &Tensor,
        _noise: &mut dyn NoiseSource,
    ) -> Result<Stepped> {
        let (clean, of_noise) = self.levels.parts(prediction, sample, index)?;
        let said = if self.predicts_clean { clean.clone() } else { of_noise };
        let mut sample = sample.clone();
        let corrects = index > 0 && !self.uncorrected.contains(&(index - 1));
        if let (true, Some((before, order))) = (corrects, self.last.take()) {
            sample = self.transfer(&before, index - 1, &self.history, order, Some(&said))?;
        }
        let old = (self.history.len() + 1).saturating_sub(self.order);
        self.history.drain(..old.min(self.history.len()));
        self.history.push(said);
        let left = self.levels.timesteps.len() - index;
        let most = if self.lower_at_end { self.order.min(left) } else { self.order };
        let order = most.min(self.taken + 1);
        self.taken = (self.taken + 1).min(self.order);
        let next = self.transfer(&sample, index, &self.history, order, None)?;
        self.last = Some((sample, order));
        Ok(Stepped { sample: next, clean })
    }

    fn add_noise(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        self.levels.add_noise(clean, noise, index)
    }
}
