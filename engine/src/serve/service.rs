//! A loaded model that answers requests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use candle_core::Device;

use super::device_thread::{Answer, Order, work};
use super::error::ServeError;
use super::notes::{self, RequestNote};
use super::request::{
    GenerateRequest, GeneratedImage, IpAdapterFiles, Progress, PromptNote, open_embeddings,
};
use crate::device::CancelToken;
use crate::model::{Bundle, ModelCard};
use crate::nn::WeightForm;
use crate::noise::SchedulerConfig;
use crate::sample::{Pipeline, TextReader};

/// A loaded model. Cheap to clone; every clone speaks to the same thread, which owns the device
/// and answers one request after the other.
#[derive(Debug, Clone)]
pub struct Service {
    orders: Sender<Order>,
    card: Arc<ModelCard>,
    reader: Arc<TextReader>,
    scheduler: Arc<SchedulerConfig>,
    control_networks: Arc<[String]>,
    control_conditions: Arc<[Option<String>]>,
    image_reader: Option<Arc<str>>,
    takes_sizes: bool,
    weight_form: WeightForm,
}

impl Service {
    /// Loads the bundle in `folder` onto `device`, and starts the thread that owns it.
    ///
    /// # Errors
    /// Where card, configuration or weights are missing or do not fit together.
    pub fn open(folder: &Path, device: &Device) -> Result<Self, ServeError> {
        Self::open_beside(folder, &[], None, WeightForm::Full, device)
    }

    /// As [`Self::open`], with control networks (ControlNets, T2I-Adapters) from folders of their own after
    /// those of the bundle, and with an IP-Adapter, so that requests may bring image prompts. UNet and ControlNets hold
    /// their layers' weights in `weights`.
    ///
    /// # Errors
    /// Where a part is missing or damaged, or they do not fit together; [`ServeError::Invalid`] where weights in eight
    /// bits are asked of a GPU.
    pub fn open_beside(
        folder: &Path,
        control_networks: &[PathBuf],
        ip_adapter: Option<&IpAdapterFiles>,
        weights: WeightForm,
        device: &Device,
    ) -> Result<Self, ServeError> {
        if weights == WeightForm::Int8 && !device.is_cpu() {
            let cause = "int8 is for the CPU; on a GPU weights are held in bf16".to_owned();
            return Err(ServeError::Invalid { field: "weights", cause });
        }
        let bundle = Bundle::open(folder)?.with_weights(weights);
        let mut pipeline = Pipeline::load(&bundle, device)?;
        for folder in control_networks {
            pipeline.add_control(folder)?;
        }
        if let Some(files) = ip_adapter {
            pipeline.load_ip_adapter(&files.image_encoder, &files.adapter)?;
        }
        let image_reader = pipeline.image_reader_hash().map(Arc::from);
        let card = Arc::new(bundle.card().clone());
        let reader = Arc::new(pipeline.reader());
        let scheduler = Arc::new(pipeline.scheduler().clone());
        let networks: Arc<[String]> = pipeline.control_hashes().into();
        let conditions: Arc<[Option<String>]> = pipeline.control_conditions().into();
        let takes_sizes = pipeline.takes_sizes();
        let (orders, received) = channel();
        std::thread::Builder::new()
            .name("engine-device".into())
            .spawn(move || work(&bundle, &mut pipeline, &received))
            .map_err(|_| ServeError::Stopped)?;
        Ok(Self {
            orders,
            card,
            reader,
            scheduler,
            control_networks: networks,
            control_conditions: conditions,
            image_reader,
            takes_sizes,
            weight_form: weights,
        })
    }

    /// The model's card.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// How UNet and ControlNets hold their layers' weights.
    pub fn weight_form(&self) -> WeightForm {
        self.weight_form
    }

    /// The model's own scheduler.
    pub fn scheduler(&self) -> &SchedulerConfig {
        &self.scheduler
    }

    /// SHA-256 of the weights of every control network, in hexadecimal, in the order in which
    /// [`Control::network`](crate::sample::Control::network) counts them.
    pub fn control_networks(&self) -> &[String] {
        &self.control_networks
    }

    /// What each control network was taught to follow, by its word (`mask`, `edges`, `sketch`), in the same
    /// order; none where it does not say.
    pub fn control_conditions(&self) -> &[Option<String>] {
        &self.control_conditions
    }

    /// SHA-256 over the hashes of the IP-Adapter's and the image encoder's weights, in hexadecimal.
    pub fn image_reader(&self) -> Option<&str> {
        self.image_reader.as_deref()
    }

    /// Checks every field of a request without any work.
    ///
    /// # Errors
    /// [`ServeError::Invalid`] names the field.
    pub fn validate(&self, request: &GenerateRequest) -> Result<(), ServeError> {
        request.checked_sentence().map(drop)
    }

    /// What of a sentence and of a negative prompt the model will not see, or not know. Does not
    /// wait for the device.
    ///
    /// # Errors
    /// Where their emphasis cannot be read.
    pub fn notes(
        &self,
        sentence: &str,
        negative: Option<&str>,
    ) -> Result<Vec<PromptNote>, ServeError> {
        notes::of_texts(&self.reader, sentence, negative)
    }

    /// What a person should hear of a request: what of its texts the model will not see or not know, and what
    /// becomes of its pictures. Does not wait for the device.
    ///
    /// # Errors
    /// Where a text's emphasis or an embedding cannot be read.
    pub fn notes_on(&self, request: &GenerateRequest) -> Result<Vec<RequestNote>, ServeError> {
        let embeddings = open_embeddings(request)?;
        let reader = self.reader.with(&embeddings.iter().collect::<Vec<_>>())?;
        let sentence = request.checked_sentence()?;
        let texts = notes::of_texts(&reader, &sentence, request.negative.as_deref())?;
        let side = self.card.image_size as u32;
        let mut notes = notes::of_brackets(&reader, &sentence, request.negative.as_deref());
        notes.extend(notes::of_request(request, texts, (side, side), &self.scheduler));
        if !self.takes_sizes {
            notes.extend(notes::of_sizes(&request.options));
        }
        Ok(notes)
    }

    /// Makes the images of a request. Blocks: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`ServeError::Invalid`] before any work, [`ServeError::Cancelled`] within one step.
    pub fn generate(
        &self,
        request: &GenerateRequest,
        on_progress: &mut dyn FnMut(Progress),
        cancel: &CancelToken,
    ) -> Result<Vec<GeneratedImage>, ServeError> {
        self.validate(request)?;
        let (answers, received) = channel();
        let order = Order { request: request.clone(), cancel: cancel.clone(), answers };
        self.orders.send(order).map_err(|_| ServeError::Stopped)?;
        loop {
            match received.recv() {
                Ok(Answer::Step(progress)) => on_progress(progress),
                Ok(Answer::Done(done)) => return done,
                Err(_) => return Err(ServeError::Stopped),
            }
        }
    }
}
