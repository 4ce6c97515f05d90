//! `scheduler_config.json` of any of diffusers' schedulers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::course::Course;
use super::ddim::Ddim;
use super::ddpm::Ddpm;
use super::dpm_solver::DpmSolver;
use super::euler::Euler;
use super::euler_ancestral::EulerAncestral;
use super::flow_match::FlowMatchEuler;
use super::heun::Heun;
use super::lcm::Lcm;
use super::pndm::Pndm;
use super::sampler::Sampler;
use super::schedule::{BetaSchedule, Prediction, ScheduleConfig, Spacing};
use super::settings::{count, flag, given, number, word};
use super::unipc::UniPc;

/// Training timesteps that a scheduler may have.
const MOST_TIMESTEPS: usize = 100_000;
/// Steps of one sampling.
const MOST_STEPS: usize = 1_000;

/// A scheduler that the engine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Ddim,
    Ddpm,
    DpmSolverMultistep,
    EulerAncestralDiscrete,
    EulerDiscrete,
    FlowMatchEulerDiscrete,
    HeunDiscrete,
    Lcm,
    Pndm,
    UniPcMultistep,
}

/// diffusers' names of the classes, without `Scheduler`.
const CLASSES: [(&str, Class); 10] = [
    ("DDIM", Class::Ddim),
    ("DDPM", Class::Ddpm),
    ("DPMSolverMultistep", Class::DpmSolverMultistep),
    ("EulerAncestralDiscrete", Class::EulerAncestralDiscrete),
    ("EulerDiscrete", Class::EulerDiscrete),
    ("FlowMatchEulerDiscrete", Class::FlowMatchEulerDiscrete),
    ("HeunDiscrete", Class::HeunDiscrete),
    ("LCM", Class::Lcm),
    ("PNDM", Class::Pndm),
    ("UniPCMultistep", Class::UniPcMultistep),
];

/// Where a scheduler that knows what flows straight from noise to image cannot be followed in it.
fn check_flow(class: Class, settings: &Map<String, Value>) -> Result<(), String> {
    let flows = flag(settings, "use_flow_sigmas", false)?;
    let predicts = word(settings, "prediction_type", "epsilon")? == "flow_prediction";
    match class {
        Class::DpmSolverMultistep | Class::UniPcMultistep => {
            let algorithm = word(settings, "algorithm_type", "dpmsolver++")?;
            let of_noise = !flag(settings, "predict_x0", true)? || !algorithm.ends_with("++");
            if predicts && (!flows || of_noise) {
                let cause =
                    "flow_prediction needs use_flow_sigmas, and a solver of the clean sample";
                return Err(format!("prediction_type: {cause}"));
            }
            let shifts = flag(settings, "use_dynamic_shifting", false)?;
            if flows && shifts && class == Class::UniPcMultistep {
                return Err(format!("use_dynamic_shifting: {DYNAMIC}"));
            }
        }
        Class::FlowMatchEulerDiscrete => {
            if flag(settings, "use_dynamic_shifting", false)? {
                return Err(format!("use_dynamic_shifting: {DYNAMIC}"));
            }
        }
        Class::Ddim
        | Class::Ddpm
        | Class::EulerAncestralDiscrete
        | Class::EulerDiscrete
        | Class::HeunDiscrete
        | Class::Lcm
        | Class::Pndm => {}
    }
    Ok(())
}

/// Why a shift that depends on the image's size is refused.
const DYNAMIC: &str = "is refused: only pipelines of other models say by how much";

/// A scheduler's configuration, in the words of diffusers. What is absent is what diffusers' class of this
/// name takes then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct SchedulerConfig {
    class: Class,
    settings: Map<String, Value>,
    pub(super) num_train_timesteps: usize,
    pub(super) beta_start: f64,
    pub(super) beta_end: f64,
    pub(super) beta_schedule: String,
    pub(super) trained_betas: Option<Vec<f64>>,
    pub(super) prediction: Prediction,
    pub(super) spacing: Spacing,
    pub(super) steps_offset: usize,
    /// Where a sampling goes another way than the one that is spaced here.
    pub(super) course: Course,
}

impl TryFrom<Map<String, Value>> for SchedulerConfig {
    type Error = String;

    fn try_from(settings: Map<String, Value>) -> Result<Self, String> {
        Self::of(settings)
    }
}

impl From<SchedulerConfig> for Map<String, Value> {
    fn from(config: SchedulerConfig) -> Self {
        config.settings
    }
}

impl From<&ScheduleConfig> for SchedulerConfig {
    /// The scheduler under which a training's model samples.
    fn from(config: &ScheduleConfig) -> Self {
        let settings = match config.to_json() {
            Value::Object(settings) => settings,
            _ => Map::new(),
        };
        Self::of(settings).unwrap_or_else(|_| Self {
            class: Class::Ddim,
            settings: Map::new(),
            num_train_timesteps: config.num_train_timesteps,
            beta_start: config.beta_start,
            beta_end: config.beta_end,
            beta_schedule: "scaled_linear".into(),
            trained_betas: None,
            prediction: config.prediction_type,
            spacing: config.timestep_spacing,
            steps_offset: config.steps_offset,
            course: Course::default(),
        })
    }
}

impl SchedulerConfig {
    /// Reads a `scheduler_config.json`.
    ///
    /// # Errors
    /// Where it is no JSON, names a class that is not known, or holds a value from which no schedule can be
    /// made or that the engine cannot follow; the field is named.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        Self::parse_as(bytes, None)
    }

    /// As [`Self::parse`], where a file without a class is of `class`: diffusers' `scheduler.config` has none.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_as(bytes: &[u8], class: Option<&str>) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
        // Python writes infinities, which JSON has not: DPM-Solver's lambda_min_clipped is one.
        let text = text.replace("-Infinity", "\"-inf\"");
        let mut settings: Map<String, Value> =
            serde_json::from_str(&text).map_err(|cause| cause.to_string())?;
        if let Some(class) = class {
            settings.entry("_class_name").or_insert_with(|| class.into());
        }
        Self::of(settings)
    }

    /// The scheduler `name` – diffusers' class, with or without `Scheduler` or `Discrete` – with what `base`
    /// says, as diffusers' `from_config` has it.
    ///
    /// # Errors
    /// Where no such scheduler is known, or it cannot follow what `base` says.
    pub fn named(name: &str, base: &Self) -> Result<Self, String> {
        let short = |name: &str| {
            let lower = name.to_lowercase().replace(['-', '_', ' ', '+'], "");
            let lower = lower.trim_end_matches("scheduler").trim_end_matches("multistep");
            lower.trim_end_matches("discrete").to_owned()
        };
        let wanted = short(name);
        let Some((class, _)) = CLASSES.iter().find(|(class, _)| short(class) == wanted) else {
            let known = CLASSES.map(|(class, _)| class).join(", ");
            return Err(format!("the scheduler is not known; known are {known}"));
        };
        let mut settings = base.settings.clone();
        settings.insert("_class_name".into(), Value::String(format!("{class}Scheduler")));
        Self::of(settings)
    }

    fn of(mut settings: Map<String, Value>) -> Result<Self, String> {
        // An image's description says them, in one order whoever wrote the file.
        settings.sort_keys();
        let name = word(&settings, "_class_name", "DDIMScheduler")?.to_owned();
        let class = CLASSES.iter().find(|(class, _)| format!("{class}Scheduler") == name);
        let Some((_, class)) = class else {
            let known = CLASSES.map(|(class, _)| class).join(", ");
            return Err(format!("_class_name: the scheduler is not known; known are {known}"));
        };
        let class = *class;
        if class == Class::UniPcMultistep && given(&settings, "solver_p").is_some() {
            return Err("solver_p: a predictor of another kind cannot be followed".into());
        }
        check_flow(class, &settings)?;
        let lcm = class == Class::Lcm;
        let betas = if lcm { (0.000_85, 0.012, "scaled_linear") } else { (0.0001, 0.02, "linear") };
        let even = match class {
            Class::Ddim | Class::Ddpm | Class::Pndm | Class::Lcm => "leading",
            Class::DpmSolverMultistep
            | Class::EulerAncestralDiscrete
            | Class::EulerDiscrete
            | Class::FlowMatchEulerDiscrete
            | Class::HeunDiscrete
            | Class::UniPcMultistep => "linspace",
        };
        let config = Self {
            num_train_timesteps: count(&settings, "num_train_timesteps", 1000)?,
            beta_start: number(&settings, "beta_start", betas.0)?,
            beta_end: number(&settings, "beta_end", betas.1)?,
            beta_schedule: word(&settings, "beta_schedule", betas.2)?.to_owned(),
            trained_betas: given(&settings, "trained_betas")
                .map(|betas| serde_json::from_value(betas.clone()))
                .transpose()
                .map_err(|_| "trained_betas: must be numbers".to_owned())?,
            prediction: match word(&settings, "prediction_type", "epsilon")? {
                "epsilon" => Prediction::Epsilon,
                "sample" => Prediction::Sample,
                "v_prediction" => Prediction::VPrediction,
                // Of these classes alone; they look at the word themselves.
                "flow_prediction"
                    if matches!(class, Class::DpmSolverMultistep | Class::UniPcMultistep) =>
                {
                    Prediction::Epsilon
                }
                _ => {
                    let known = "epsilon, sample and v_prediction are";
                    return Err(format!("prediction_type: is not known; {known}"));
                }
            },
            spacing: match word(&settings, "timestep_spacing", even)? {
                "leading" => Spacing::Leading,
                "trailing" => Spacing::Trailing,
                "linspace" => Spacing::Linspace,
                _ => {
                    let known = "leading, trailing and linspace are";
                    return Err(format!("timestep_spacing: is not known; {known}"));
                }
            },
            steps_offset: count(&settings, "steps_offset", 0)?,
            course: Course::default(),
            class,
            settings,
        };
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), String> {
        if !(1..=MOST_TIMESTEPS).contains(&self.num_train_timesteps) {
            return Err("num_train_timesteps: must lie between 1 and 100,000".into());
        }
        if self.steps_offset >= self.num_train_timesteps {
            return Err("steps_offset: must lie below num_train_timesteps".into());
        }
        let inside = |beta: f64| beta > 0.0 && beta < 1.0;
        if !inside(self.beta_start) || !inside(self.beta_end) {
            return Err("beta_start: must lie between 0 and 1, as must beta_end".into());
        }
        if let Some(betas) = &self.trained_betas
            && (betas.len() != self.num_train_timesteps || !betas.iter().all(|beta| inside(*beta)))
        {
            return Err("trained_betas: must be num_train_timesteps numbers between 0 and 1".into());
        }
        Ok(())
    }

    /// diffusers' name of the class, such as `DDIMScheduler`.
    pub fn class_name(&self) -> &str {
        self.settings.get("_class_name").and_then(Value::as_str).unwrap_or("DDIMScheduler")
    }

    /// The configuration as a file holds it.
    pub fn to_json(&self) -> Value {
        Value::Object(self.settings.clone())
    }

    /// The schedule of a training, where this scheduler's is one.
    ///
    /// # Errors
    /// Names what a training cannot follow.
    pub fn schedule(&self) -> Result<ScheduleConfig, String> {
        if let Some(shift) = self.flow_shift()? {
            let config = ScheduleConfig {
                class_name: self.class_name().to_owned(),
                num_train_timesteps: self.num_train_timesteps,
                prediction_type: Prediction::Flow,
                rescale_betas_zero_snr: false,
                shift,
                ..ScheduleConfig::default()
            };
            config.validate()?;
            return Ok(config);
        }
        if self.trained_betas.is_some() {
            let cause = "a training takes a schedule of betas by their formula";
            return Err(format!("trained_betas: {cause}"));
        }
        let config = ScheduleConfig {
            class_name: self.class_name().to_owned(),
            num_train_timesteps: self.num_train_timesteps,
            beta_start: self.beta_start,
            beta_end: self.beta_end,
            beta_schedule: match self.beta_schedule.as_str() {
                "linear" => BetaSchedule::Linear,
                "scaled_linear" => BetaSchedule::ScaledLinear,
                "squaredcos_cap_v2" => BetaSchedule::SquaredcosCapV2,
                _ => return Err("beta_schedule: is not known".into()),
            },
            prediction_type: self.prediction,
            rescale_betas_zero_snr: self.zero_snr(),
            timestep_spacing: self.spacing,
            steps_offset: self.steps_offset,
            clip_sample: self.flag("clip_sample", false)?,
            set_alpha_to_one: self.flag("set_alpha_to_one", true)?,
            shift: 1.0,
        };
        config.validate()?;
        Ok(config)
    }

    /// The shift of the flow that a training follows; none where there are betas.
    fn flow_shift(&self) -> Result<Option<f64>, String> {
        if self.class == Class::FlowMatchEulerDiscrete {
            if self.flag("invert_sigmas", false)? {
                return Err("invert_sigmas: a training goes from the image to noise".into());
            }
            return self.number("shift", 1.0).map(Some);
        }
        if !self.flag("use_flow_sigmas", false)? {
            return Ok(None);
        }
        if self.word("prediction_type", "epsilon")? != "flow_prediction" {
            return Err("prediction_type: a training under use_flow_sigmas takes \
                        flow_prediction"
                .into());
        }
        self.number("flow_shift", 1.0).map(Some)
    }

    /// A sampling along a course of its own.
    ///
    /// # Errors
    /// Names the setting, or what of the course, that the scheduler cannot follow.
    pub fn sampler_along(&self, course: &Course) -> Result<Box<dyn Sampler>, String> {
        let takes_timesteps = match self.class {
            Class::Ddpm
            | Class::DpmSolverMultistep
            | Class::EulerDiscrete
            | Class::HeunDiscrete
            | Class::Lcm => true,
            Class::Ddim
            | Class::EulerAncestralDiscrete
            | Class::FlowMatchEulerDiscrete
            | Class::Pndm
            | Class::UniPcMultistep => false,
        };
        course.check(self, takes_timesteps, self.class == Class::EulerDiscrete)?;
        Self { course: course.clone(), ..self.clone() }.sampler(course.steps)
    }

    /// A sampling in `steps` steps.
    ///
    /// # Errors
    /// Names the setting that the scheduler cannot follow.
    pub fn sampler(&self, steps: usize) -> Result<Box<dyn Sampler>, String> {
        if !(1..=MOST_STEPS).contains(&steps) {
            return Err("steps: must lie between 1 and 1,000".into());
        }
        if steps > self.num_train_timesteps {
            let most = self.num_train_timesteps;
            return Err(format!("steps: must not be more than the {most} timesteps of training"));
        }
        Ok(match self.class {
            Class::Ddim => Box::new(Ddim::new(self, steps)?),
            Class::Ddpm => Box::new(Ddpm::new(self, steps)?),
            Class::DpmSolverMultistep => Box::new(DpmSolver::new(self, steps)?),
            Class::EulerAncestralDiscrete => Box::new(EulerAncestral::new(self, steps)?),
            Class::EulerDiscrete => Box::new(Euler::new(self, steps)?),
            Class::FlowMatchEulerDiscrete => Box::new(FlowMatchEuler::new(self, steps)?),
            Class::HeunDiscrete => Box::new(Heun::new(self, steps)?),
            Class::Lcm => Box::new(Lcm::new(self, steps)?),
            Class::Pndm => Box::new(Pndm::new(self, steps)?),
            Class::UniPcMultistep => Box::new(UniPc::new(self, steps)?),
        })
    }

    /// Whether the last timestep is pure noise.
    pub(super) fn zero_snr(&self) -> bool {
        self.settings.get("rescale_betas_zero_snr").and_then(Value::as_bool).unwrap_or(false)
            && !matches!(
                self.class,
                Class::Pndm | Class::HeunDiscrete | Class::FlowMatchEulerDiscrete
            )
    }

    /// Whether the class divides by ᾱ and so keeps a trace of signal at pure noise.
    pub(super) fn keeps_some_signal(&self) -> bool {
        matches!(
            self.class,
            Class::DpmSolverMultistep
                | Class::EulerAncestralDiscrete
                | Class::EulerDiscrete
                | Class::UniPcMultistep
        )
    }

    pub(super) fn flag(&self, key: &str, absent: bool) -> Result<bool, String> {
        flag(&self.settings, key, absent)
    }

    pub(super) fn number(&self, key: &str, absent: f64) -> Result<f64, String> {
        number(&self.settings, key, absent)
    }

    pub(super) fn optional(&self, key: &str) -> Result<Option<f64>, String> {
        given(&self.settings, key).map(|_| number(&self.settings, key, 0.0)).transpose()
    }

    pub(super) fn count(&self, key: &str, absent: usize) -> Result<usize, String> {
        count(&self.settings, key, absent)
    }

    /// Whole numbers, none where the key is absent.
    pub(super) fn counts(&self, key: &str) -> Result<Vec<usize>, String> {
        match given(&self.settings, key) {
            None => Ok(Vec::new()),
            Some(value) => serde_json::from_value(value.clone())
                .map_err(|_| format!("{key}: must be whole numbers")),
        }
    }

    pub(super) fn word<'a>(&'a self, key: &str, absent: &'a str) -> Result<&'a str, String> {
        word(&self.settings, key, absent)
    }

    /// Whole timesteps of a sampling, from noise to image, as DDIM, DDPM and PNDM visit them.
    pub(super) fn whole_timesteps(&self, steps: usize) -> Vec<usize> {
        if !self.course.timesteps.is_empty() {
            return self.course.timesteps.iter().map(|timestep| *timestep as usize).collect();
        }
        let count = self.num_train_timesteps;
        match self.spacing {
            Spacing::Leading => {
                let ratio = count / steps;
                (0..steps).rev().map(|index| index * ratio + self.steps_offset).collect()
            }
            Spacing::Trailing => {
                let ratio = count as f64 / steps as f64;
                trailing(count, ratio).map(|at| at.round_ties_even() as usize - 1).collect()
            }
            Spacing::Linspace => {
                let gap = if steps == 1 { 0.0 } else { (count - 1) as f64 / (steps - 1) as f64 };
                (0..steps).rev().map(|i| (i as f64 * gap).round_ties_even() as usize).collect()
            }
        }
    }

    /// Timesteps of a sampling, from noise to image, as Euler and Heun visit them: perhaps between two.
    pub(super) fn real_timesteps(&self, steps: usize) -> Vec<f64> {
        if !self.course.timesteps.is_empty() {
            return self.course.timesteps.iter().map(|timestep| f64::from(*timestep)).collect();
        }
        let count = self.num_train_timesteps;
        match self.spacing {
            Spacing::Linspace => {
                let gap = if steps == 1 { 0.0 } else { (count - 1) as f64 / (steps - 1) as f64 };
                let single = |value: f64| f64::from(value as f32);
                (0..steps).rev().map(|index| single(index as f64 * gap)).collect()
            }
            Spacing::Leading | Spacing::Trailing => {
                self.whole_timesteps(steps).into_iter().map(|timestep| timestep as f64).collect()
            }
        }
    }
}

/// `numpy.arange(count, 0, -ratio)`, as many as it has: rounding may give one more than was asked for.
pub(super) fn trailing(count: usize, ratio: f64) -> impl Iterator<Item = f64> {
    let length = (count as f64 / ratio).ceil() as usize;
    (0..length).map(move |index| count as f64 - index as f64 * ratio).filter(|at| *at >= 0.5)
}
