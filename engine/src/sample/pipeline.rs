//! The parts of a bundle, loaded and ready.

use std::path::Path;

use candle_core::{DType, Device, Result, Tensor};

use super::concept::Concepts;
use super::control::ControlNetwork;
use super::error::SampleError;
use super::image_prompt::ImageReader;
use super::options::SamplingOptions;
use super::request::{Control, LONGEST_SIDE, Request};
use super::text::{Said, TextReader, Texts};
use super::told::Told;
use crate::adapter::{
    Adapter, AdapterError, Concept, Embedding, Networks, Prefix, attach, before_text,
};
use crate::dicom::{ControlUse, Frame, InputUse};
use crate::model::{Bundle, ModelError, Part, PartCard, Unet, Vae};
use crate::nn::{ImageContext, Kept, WeightForm, Weights, timestep_embedding};
use crate::noise::{NoiseSource, Sampler, SchedulerConfig};

/// Beyond this many pixels the autoencoder works tile by tile: its memory grows with the area.
const UNTILED: usize = 1024 * 1024;

/// A loaded model.
pub struct Pipeline {
    unet: Unet,
    texts: Texts,
    vae: Vae,
    controls: Vec<ControlNetwork>,
    control_hashes: Vec<String>,
    control_cards: Vec<Option<PartCard>>,
    base_sha256: String,
    image_reader: Option<ImageReader>,
    concepts: Concepts,
    /// `[n, width]`, before the text of every prompt.
    before: Option<Tensor>,
    scheduler: SchedulerConfig,
    image_size: usize,
    device: Device,
    weight_form: WeightForm,
    unet_weights: Weights,
}

impl Pipeline {
    /// Loads every part of `bundle`.
    ///
    /// # Errors
    /// Where a part is missing or damaged, or the parts do not fit each other.
    pub fn load(bundle: &Bundle, device: &Device) -> std::result::Result<Self, ModelError> {
        let (unet, unet_weights) = bundle.unet(false, device)?;
        let mut pipeline = Self {
            vae: bundle.vae(device)?,
            controls: Vec::new(),
            control_hashes: Vec::new(),
            control_cards: Vec::new(),
            base_sha256: bundle.card().weights_sha256.clone(),
            image_reader: None,
            concepts: Concepts::default(),
            before: None,
            scheduler: bundle.scheduler()?,
            image_size: bundle.card().image_size,
            device: device.clone(),
            weight_form: bundle.weight_form(),
            unet,
            texts: Texts::load(bundle, device)?,
            unet_weights,
        };
        pipeline.check(bundle)?;
        for part in (0..u8::MAX).map(Part::ControlNet).take_while(|part| bundle.has(*part)) {
            pipeline.control(bundle, part)?;
        }
        if bundle.has(Part::T2iAdapter) {
            pipeline.control(bundle, Part::T2iAdapter)?;
        }
        Ok(pipeline)
    }

    /// Loads a control network – a ControlNet or a T2I-Adapter – from a folder of its own, after those that
    /// are there.
    ///
    /// # Errors
    /// Where the folder holds neither, it is damaged, or it is for another network.
    pub fn add_control(&mut self, folder: &Path) -> std::result::Result<(), ModelError> {
        let bundle = Bundle::of_parts(folder)?.with_weights(self.weight_form);
        let found =
            [Part::ControlNet(0), Part::T2iAdapter].into_iter().find(|part| bundle.has(*part));
        let Some(part) = found else {
            let cause = "holds neither a ControlNet nor a T2I-Adapter in the diffusers layout";
            return Err(ModelError::file(folder, cause));
        };
        self.control(&bundle, part)
    }

    /// Loads an IP-Adapter from `file`, with the image encoder in `encoder_folder`, in place of the one before:
    /// requests may then bring image prompts. The network stays as it is.
    ///
    /// # Errors
    /// Where either is missing or damaged, or is for another network or another encoder.
    pub fn load_ip_adapter(
        &mut self,
        encoder_folder: &Path,
        file: &Path,
    ) -> std::result::Result<(), AdapterError> {
        let reader = ImageReader::load(encoder_folder, file, &self.unet, &self.device)?;
        self.image_reader = Some(reader);
        Ok(())
    }

    /// SHA-256 over the hashes of the IP-Adapter's and the image encoder's weights, in hexadecimal.
    pub fn image_reader_hash(&self) -> Option<&str> {
        self.image_reader.as_ref().map(ImageReader::sha256)
    }

    /// What the network sees of the request's image prompts; nothing where there are none.
    fn images(
        &self,
        request: &Request,
        twice: bool,
    ) -> std::result::Result<Option<Vec<Vec<ImageContext>>>, SampleError> {
        if request.image_prompts.is_empty() {
            return Ok(None);
        }
        let Some(reader) = &self.image_reader else {
            let cause = "needs an IP-Adapter and an image encoder beside the model";
            return Err(SampleError::invalid("image_prompt", cause));
        };
        Ok(Some(reader.read(&request.image_prompts, twice)?))
    }

    fn control(&mut self, bundle: &Bundle, part: Part) -> std::result::Result<(), ModelError> {
        let folder = bundle.part_folder(part);
        let card = PartCard::of(&folder)?;
        if let Some(card) = &card {
            card.check_base(&folder, &self.base_sha256)?;
        }
        let network = if let Part::ControlNet(index) = part {
            let network = bundle.controlnet(index, &self.device)?;
            let (its, ours) = (&network.config().network, self.unet.config());
            if its.block_out_channels != ours.block_out_channels
                || its.cross_attention_dim != ours.cross_attention_dim
            {
                let cause =
                    "is for another network: block_out_channels or cross_attention_dim differ";
                return Err(ModelError::file(folder, cause));
            }
            ControlNetwork::ControlNet(Box::new(network))
        } else {
            ControlNetwork::T2iAdapter(bundle.t2i_adapter(&self.device)?)
        };
        self.control_hashes.push(bundle.part_hash(part)?);
        self.control_cards.push(card);
        self.controls.push(network);
        Ok(())
    }

    /// Parts that each load may still come from different models.
    fn check(&self, bundle: &Bundle) -> std::result::Result<(), ModelError> {
        let fault = |part, field, cause: String| Err(ModelError::Config { part, field, cause });
        let (unet, vae) = (self.unet.config(), self.vae.config());
        let latent = vae.latent_channels;
        // A network that paints into images sees a mask and the masked image's latent as well.
        if ![latent, 2 * latent + 1].contains(&unet.in_channels) {
            let cause = format!("is {}, and the latent has {latent}", unet.in_channels);
            return fault("unet", "in_channels", cause);
        }
        if unet.out_channels != latent {
            let cause = format!("is {}, and the latent has {latent}", unet.out_channels);
            return fault("unet", "out_channels", cause);
        }
        let mut width = 0;
        for (part, words) in self.texts.parts() {
            let (text, largest) = (words.encoder.config(), words.tokenizer.largest_token());
            width += text.hidden_size;
            if largest as usize >= text.vocab_size {
                let cause =
                    format!("is {}, and the tokenizer's largest token {largest}", text.vocab_size);
                return fault(part, "vocab_size", cause);
            }
        }
        let context = unet.context_width();
        if context != width {
            let cause = format!("is {context}, and the text encoder's hidden_size {width}");
            return fault("unet", "cross_attention_dim", cause);
        }
        if unet.takes_classes() {
            let cause = "no pipeline here tells the network a class; it is for enlarging or unCLIP";
            return fault("unet", "class_embed_type", cause.to_owned());
        }
        if unet.adds_text_and_sizes() && self.texts.second.is_none() {
            let cause = "needs a second text encoder (text_encoder_2)".to_owned();
            return fault("unet", "addition_embed_type", cause);
        }
        let (size, unit) = (self.image_size, vae.compression());
        if size == 0 || size > LONGEST_SIDE || !size.is_multiple_of(unit) {
            let cause = format!(
                "image_size is {size}, and must be a multiple of {unit}, the autoencoder's \
                 compression, up to {LONGEST_SIDE}"
            );
            return Err(ModelError::file(bundle.folder().join("card.json"), cause));
        }
        Ok(())
    }

    /// Whether the model is told of the picture's sizes, as Stable Diffusion XL is.
    pub fn takes_sizes(&self) -> bool {
        self.unet.config().adds_text_and_sizes()
    }

    /// The model's own scheduler.
    pub fn scheduler(&self) -> &SchedulerConfig {
        &self.scheduler
    }

    /// The sampler of a request.
    pub(super) fn sampler(
        &self,
        request: &Request,
    ) -> std::result::Result<Box<dyn Sampler>, SampleError> {
        let config = request.scheduler.as_ref().unwrap_or(&self.scheduler);
        let course = request.options.course(request.steps);
        config.sampler_along(&course).map_err(|cause| SampleError::invalid("scheduler", cause))
    }

    /// The control networks, in the order in which requests count them.
    pub(super) fn controls(&self) -> &[ControlNetwork] {
        &self.controls
    }

    /// SHA-256 of each control network's weights, in hexadecimal.
    pub fn control_hashes(&self) -> &[String] {
        &self.control_hashes
    }

    /// What an image says of `control`, which led it.
    pub fn control_use(&self, control: &Control) -> InputUse {
        InputUse {
            role: "control".into(),
            sha256: InputUse::hash(&control.image),
            control: Some(ControlUse {
                network_sha256: self
                    .control_hashes
                    .get(control.network)
                    .cloned()
                    .unwrap_or_default(),
                weight: control.weight,
                start: control.start,
                end: control.end,
            }),
        }
    }

    /// What each control network was taught to follow, by the word of a
    /// [`ControlKind`](crate::control::ControlKind); none where it has no card.
    pub fn control_conditions(&self) -> Vec<Option<String>> {
        self.control_cards.iter().map(|card| card.as_ref()?.condition.clone()).collect()
    }

    pub(super) fn unet(&self) -> &Unet {
        &self.unet
    }

    /// The networks that adapters change.
    pub fn networks(&self) -> Networks<'_> {
        Networks {
            unet: &self.unet_weights,
            text_encoder: Some(&self.texts.first.weights),
            text_encoder_2: self.texts.second.as_ref().map(|words| &words.weights),
        }
    }

    /// Puts `adapters`, each with its scale, on the model in place of those before; the base stays
    /// loaded. `merged` trades memory for speed.
    ///
    /// # Errors
    /// Where an adapter does not fit. The model is then as it was.
    pub fn adapt(
        &self,
        adapters: &[(&Adapter, f32)],
        merged: bool,
    ) -> std::result::Result<(), AdapterError> {
        attach(&self.networks(), adapters, merged)
    }

    /// Opens the concept in a folder for this model.
    ///
    /// # Errors
    /// Where it was trained on another model, or is damaged.
    pub fn concept(&self, folder: &Path) -> std::result::Result<Concept, AdapterError> {
        Concept::open(folder, self.unet.cross_attentions(), &self.base_sha256, &self.device)
    }

    /// Shows the model `concepts`, each with its scale (0 is nothing, 1 as trained), in place of those before:
    /// as `reference` shows them, or as their images do on average.
    ///
    /// # Errors
    /// Where the reference is empty. The model is then as it was.
    pub fn show(
        &mut self,
        concepts: &[(&Concept, f32)],
        reference: Option<&Frame>,
    ) -> std::result::Result<(), AdapterError> {
        self.concepts = Concepts::new(concepts, reference)?;
        Ok(())
    }

    /// Puts the vectors of `prefixes`, each times its scale, before the text of every prompt and of what it leads
    /// away from, in place of those before; one at a scale of 0 is left out.
    ///
    /// # Errors
    /// [`AdapterError::WrongBase`] where a prefix is of another width.
    pub fn put_before(
        &mut self,
        prefixes: &[(&Prefix, f32)],
    ) -> std::result::Result<(), AdapterError> {
        let width = self.unet.config().context_width();
        let mut all = Vec::new();
        for (prefix, scale) in prefixes.iter().filter(|(_, scale)| *scale != 0.0) {
            prefix.check_width(width)?;
            all.push((prefix.vectors() * f64::from(*scale))?.to_device(&self.device)?);
        }
        self.before = if all.is_empty() { None } else { Some(Tensor::cat(&all, 0)?) };
        Ok(())
    }

    /// Teaches the model the words of `embeddings` (textual inversion), in place of those before; the base
    /// stays loaded.
    ///
    /// # Errors
    /// Where an embedding does not fit the text encoders, or its word is in the vocabulary. The model is
    /// then as it was.
    pub fn learn(&mut self, embeddings: &[&Embedding]) -> std::result::Result<(), AdapterError> {
        self.texts.learn(embeddings)
    }

    /// Reads prompts as this pipeline does, without its networks and without learned words.
    pub fn reader(&self) -> TextReader {
        self.texts.reader()
    }

    /// Whether the network was taught the guidance scale, and is asked once for it.
    pub(super) fn was_taught_guidance(&self) -> bool {
        self.unet.config().time_cond_proj_dim.is_some()
    }

    /// The guidance scale `[1, width]` as a latent consistency model is told it (Luo et al., arXiv 2310.04378).
    fn taught(&self, scale: f64) -> Result<Option<Tensor>> {
        let embed = |width| {
            let told = [(scale - 1.0) * 1000.0];
            timestep_embedding(&told, width, false, 1.0, DType::F32, &self.device)
        };
        self.unet.config().time_cond_proj_dim.map(embed).transpose()
    }

    /// Embeds an empty negative prompt from now on, whatever the bundle says; false where it does already.
    pub fn embed_no_words(&mut self) -> bool {
        self.texts.embed_no_words()
    }

    /// What the network is told of the requests' prompts, and of their negative ones where `twice`, first.
    pub(super) fn told(
        &self,
        requests: &[Request],
        twice: bool,
        size: (usize, usize),
    ) -> std::result::Result<Told, SampleError> {
        let each = requests.iter().map(|request| self.told_one(request, twice, size));
        Told::together(each.collect::<std::result::Result<_, _>>()?, twice)
    }

    fn told_one(
        &self,
        request: &Request,
        twice: bool,
        size: (usize, usize),
    ) -> std::result::Result<Told, SampleError> {
        let images = self.concepts.beside(self.images(request, twice)?, twice)?;
        let guidance = self.taught(request.guidance_scale)?;
        let Said { mut context, pooled } = self.texts.said(request, twice, &self.device)?;
        if let Some(vectors) = &self.before {
            context = before_text(vectors, &context)?;
        }
        let added = match pooled {
            Some(pooled) => {
                let SamplingOptions { sizes, negative_sizes, .. } = &request.options;
                let mut numbers = sizes.numbers(size).to_vec();
                if twice {
                    let away = negative_sizes.as_ref().unwrap_or(sizes).numbers(size);
                    numbers.splice(0..0, away);
                }
                let samples = pooled.dim(0)?;
                Some((pooled, Tensor::from_vec(numbers, (samples, 6), &self.device)?))
            }
            None => None,
        };
        let kept = Kept::new(&context);
        Ok(Told { context, kept, added, images, guidance })
    }

    /// Sides of the square image that the model makes unless asked for another, in pixels.
    pub fn image_size(&self) -> usize {
        self.image_size
    }

    /// Whether the network takes a mask and a masked image beside the latent.
    pub(super) fn paints_into_images(&self) -> bool {
        self.unet.config().in_channels > self.vae.config().latent_channels
    }

    /// Height and width of a request's image.
    pub(super) fn size(
        &self,
        request: &Request,
    ) -> std::result::Result<(usize, usize), SampleError> {
        let (height, width) = request.size.unwrap_or((self.image_size(), self.image_size()));
        let unit = self.vae.config().compression();
        for side in [height, width] {
            if side == 0 || side > LONGEST_SIDE || !side.is_multiple_of(unit) {
                let cause =
                    format!("each side must be a multiple of {unit} pixels, up to {LONGEST_SIDE}");
                return Err(SampleError::invalid("size", cause));
            }
        }
        Ok((height, width))
    }

    /// Zeros in the shape of `count` latents, `[count, channels, h, w]`.
    pub(super) fn blank_latents(
        &self,
        count: usize,
        height: usize,
        width: usize,
    ) -> Result<Tensor> {
        let config = self.vae.config();
        let unit = config.compression();
        let shape = (count, config.latent_channels, height / unit, width / unit);
        Tensor::zeros(shape, DType::F32, &self.device)
    }

    /// A frame at the size asked for, between 0 and 1, `[1, 1, h, w]`.
    pub(super) fn grey(&self, frame: &Frame, height: usize, width: usize) -> Result<Tensor> {
        let frame = frame.resized(width as u32, height as u32);
        Tensor::from_vec(frame.pixels, (1, 1, height, width), &self.device)
    }

    /// A frame as the autoencoder takes it, between −1 and 1, `[1, channels, h, w]`.
    pub(super) fn picture(&self, frame: &Frame, height: usize, width: usize) -> Result<Tensor> {
        let grey = self.grey(frame, height, width)?.affine(2.0, -1.0)?;
        Tensor::cat(&vec![grey; self.vae.config().in_channels], 1)
    }

    /// A scaled latent of an image `[1, channels, h, w]`, drawn from the encoder's distribution.
    pub(super) fn encode(&self, image: &Tensor, noise: &mut dyn NoiseSource) -> Result<Tensor> {
        let (mean, log_variance) = if image.dim(2)? * image.dim(3)? > UNTILED {
            self.vae.encode_tiled(image)?
        } else {
            self.vae.encode(image)?
        };
        let draw = noise.next(&mean)?;
        self.vae.scaled(&(mean + (draw * (log_variance * 0.5)?.exp()?)?)?)
    }

    /// The image of a scaled latent, about 0 … 1, `[1, channels, h, w]`.
    pub(super) fn decode(&self, latent: &Tensor) -> Result<Tensor> {
        let latent = self.vae.unscaled(latent)?;
        let unit = self.vae.config().compression();
        let image = if latent.dim(2)? * latent.dim(3)? * unit * unit > UNTILED {
            self.vae.decode_tiled(&latent)?
        } else {
            self.vae.decode(&latent)?
        };
        image.affine(0.5, 0.5)
    }

    /// Grey values of an image `[1, channels, h, w]`; colour is averaged.
    pub(super) fn frame(image: &Tensor) -> Result<Frame> {
        let grey = image.mean(1)?.clamp(0f32, 1f32)?;
        let (_, height, width) = grey.dims3()?;
        let pixels = grey.flatten_all()?.to_vec1()?;
        Ok(Frame { width: width as u32, height: height as u32, pixels })
    }
}
