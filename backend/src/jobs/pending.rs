//! The faces of the engine's `train` and `serve` rooms, which are being built. Until they stand, no
//! model loads: whoever asks for a run or a generation is told so. This file goes with the first
//! build that has the rooms.

/// `skiagraph_engine::serve`
#[expect(missing_docs, reason = "the engine's words")]
pub mod serve {
    use std::path::{Path, PathBuf};

    use serde::Serialize;
    use skiagraph_engine::device::CancelToken;
    use skiagraph_engine::dicom::Provenance;
    use skiagraph_engine::prompt::StructuredPrompt;

    #[derive(Debug, thiserror::Error)]
    pub enum ServeError {
        #[error("{field}: {cause}")]
        Invalid { field: &'static str, cause: String },
        #[error("cancelled")]
        Cancelled,
        #[error("the engine of this build does not generate yet")]
        Pending,
    }

    #[derive(Debug, Clone)]
    pub struct AdapterRef {
        pub path: PathBuf,
        pub scale: f32,
    }

    #[derive(Debug, Clone)]
    pub struct GenerateRequest {
        pub prompt: StructuredPrompt,
        pub negative: Option<String>,
        pub seed: u64,
        pub steps: u32,
        pub guidance_scale: f32,
        pub count: u32,
        pub adapters: Vec<AdapterRef>,
    }

    #[derive(Debug)]
    pub struct Progress {
        pub step: u32,
        pub preview_png: Option<Vec<u8>>,
    }

    #[derive(Debug)]
    pub struct GeneratedImage {
        pub seed: u64,
        pub png: Vec<u8>,
        pub dicom: Vec<u8>,
        pub provenance: Provenance,
    }

    #[derive(Debug, Clone, Default, Serialize)]
    pub struct ModelCard {
        pub name: String,
        pub version: String,
        pub description: String,
        pub image_size: usize,
        pub findings: Vec<String>,
        pub default_steps: u32,
        pub default_guidance_scale: f32,
        pub licence: String,
        pub attribution: Vec<String>,
        pub limits: String,
        pub weights_sha256: String,
    }

    #[derive(Debug, Clone)]
    pub struct Service(ModelCard);

    impl Service {
        pub fn open(_folder: &Path) -> Result<Self, ServeError> {
            Err(ServeError::Pending)
        }

        pub fn card(&self) -> &ModelCard {
            &self.0
        }

        pub fn generate(
            &self,
            _request: &GenerateRequest,
            _on_progress: &mut dyn FnMut(Progress),
            _cancel: &CancelToken,
        ) -> Result<Vec<GeneratedImage>, ServeError> {
            Err(ServeError::Pending)
        }
    }
}

/// `skiagraph_engine::train`
#[expect(missing_docs, reason = "the engine's words")]
pub mod train {
    use std::path::PathBuf;

    use serde::Serialize;
    use skiagraph_engine::device::CancelToken;

    #[derive(Debug, Clone, Copy)]
    pub enum Task {
        Lora,
    }

    #[derive(Debug, thiserror::Error)]
    pub enum TrainError {
        #[error("the engine of this build does not train yet")]
        Pending,
    }

    #[derive(Debug, Serialize)]
    #[serde(tag = "event", rename_all = "snake_case")]
    pub enum TrainEvent {
        Started { step: u64 },
        Step { step: u64 },
        Validation { step: u64 },
        Checkpoint { step: u64 },
        Finished { step: u64 },
    }

    #[derive(Debug)]
    pub struct TrainSummary {
        pub validation_loss_before: f32,
        pub validation_loss_after: f32,
        pub output: PathBuf,
    }

    #[derive(Debug)]
    pub struct TrainConfig {
        pub name: String,
        pub model: PathBuf,
        pub rank: usize,
        pub alpha: f64,
        pub batch_size: usize,
        pub learning_rate: f64,
        pub seed: u64,
        pub checkpoint_every: u64,
        pub validate_every: u64,
        pub steps: u64,
        pub dataset: PathBuf,
        pub out: PathBuf,
        pub task: Task,
    }

    impl TrainConfig {
        pub fn new(task: Task, dataset: PathBuf, out: PathBuf, steps: u64) -> Self {
            Self {
                name: String::new(),
                model: PathBuf::new(),
                rank: 0,
                alpha: 0.0,
                batch_size: 0,
                learning_rate: 0.0,
                seed: 0,
                checkpoint_every: 1,
                validate_every: 1,
                steps,
                dataset,
                out,
                task,
            }
        }
    }

    pub fn run(
        _config: &TrainConfig,
        _resume: bool,
        _on_event: &mut dyn FnMut(TrainEvent),
        _cancel: &CancelToken,
    ) -> Result<TrainSummary, TrainError> {
        Err(TrainError::Pending)
    }
}
