//! Along which noise levels a sampling goes.

use super::config::SchedulerConfig;

/// The way of a sampling from noise to image, where it is not the scheduler's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Course {
    /// Steps.
    pub steps: usize,
    /// η of DDIM (Song et al., arXiv 2010.02502, equation 16), 0 to 1. Schedulers without it leave it out.
    pub eta: f64,
    /// The timesteps, falling, in place of those that the scheduler would space; empty for these.
    pub timesteps: Vec<u32>,
    /// The noise levels σ, falling, one more than there are steps; empty for the scheduler's.
    pub sigmas: Vec<f64>,
}

impl Course {
    /// So many steps as the scheduler spaces them.
    pub fn of(steps: usize) -> Self {
        Self { steps, ..Self::default() }
    }

    /// # Errors
    /// Names what `config`'s scheduler cannot follow.
    pub(super) fn check(
        &self,
        config: &SchedulerConfig,
        takes_timesteps: bool,
        takes_sigmas: bool,
    ) -> Result<(), String> {
        let name = config.class_name();
        if !self.timesteps.is_empty() {
            if !takes_timesteps {
                return Err(format!("{name} takes no timesteps of one's own"));
            }
            let count = config.num_train_timesteps;
            if self.timesteps.iter().any(|timestep| *timestep as usize >= count) {
                return Err(format!("timesteps: each must lie below the {count} of training"));
            }
            for key in
                ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas"]
            {
                if config.flag(key, false)? {
                    return Err(format!("timesteps: cannot be given where {key} is true"));
                }
            }
        }
        if !self.sigmas.is_empty() && !takes_sigmas {
            return Err(format!("{name} takes no sigmas of one's own"));
        }
        Ok(())
    }
}
