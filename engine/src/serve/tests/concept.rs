//! Concepts among a request's adapters.

use candle_core::DType;

use super::*;
use crate::adapter::{Concept, GatedReaders};
use crate::model::{FeatureConfig, FeatureEncoder, values};
use crate::nn::{Init, Weights};

/// A concept for the model in `folder`, of random weights behind open gates.
fn concept(folder: &Path) -> AdapterRef {
    let bundle = Bundle::open(&folder.join("model")).unwrap();
    let (unet, _) = bundle.unet(false, &Device::Cpu).unwrap();
    let weights = Weights::from_seed(7, DType::F32, &Device::Cpu);
    let config = FeatureConfig { image_size: 16, channels: vec![8], tokens: 2, width: 8 };
    FeatureEncoder::new(config.clone(), &weights.pp("encoder")).unwrap();
    GatedReaders::new(unet.cross_attentions(), 8, &weights.pp("readers")).unwrap();
    weights.get("mean", (1, 2, 8), Init::Normal(1.0)).unwrap();
    let mut all = values(&weights.variables());
    for (name, value) in &mut all {
        if name.ends_with("gate") {
            *value = value.ones_like().unwrap();
        }
    }
    let card = AdapterCard {
        name: "mine".into(),
        base_sha256: bundle.card().weights_sha256.clone(),
        ..AdapterCard::default()
    };
    let path = folder.join("mine");
    Concept::write(&path, &config, &all, &card).unwrap();
    AdapterRef { path, scale: 1.0 }
}

#[test]
fn concepts_come_and_go_and_an_image_says_which_it_saw() {
    let (folder, service) = service();
    let (lora, one) = (adapter(folder.path(), "one"), concept(folder.path()));
    let with = |adapters: &[AdapterRef], concept_image: Option<Frame>| {
        let adapters = adapters.to_vec();
        generate(&service, &GenerateRequest { adapters, concept_image, ..request() }).remove(0)
    };
    let base = with(&[], None);
    let shown = with(std::slice::from_ref(&one), None);
    assert_ne!(shown.frame, base.frame);
    assert_eq!(with(&[], None).png, base.png, "out of sight again");
    let weak = AdapterRef { scale: 0.0, ..one.clone() };
    assert_eq!(with(&[weak], None).frame, base.frame, "a scale of nothing changes nothing");
    let both = with(&[lora.clone(), one.clone()], None);
    assert_ne!(both.frame, shown.frame);
    let weights = std::fs::read(one.path.join("concept.safetensors")).unwrap();
    let used = &both.provenance.adapters[1];
    assert_eq!((used.name.as_str(), &used.sha256), ("mine", &hex::encode(Sha256::digest(weights))));

    // By a picture in place of the mean, and the same again from what the file says.
    let image = with(&[lora.clone(), one.clone()], Some(picture()));
    assert_ne!(image.frame, both.frame);
    let given = Given {
        adapters: vec![one.path.clone(), lora.path.clone()],
        concept_image: Some(picture()),
        ..Given::default()
    };
    let description = dicom::read_provenance(&image.png).unwrap();
    let again = replay(&description, service.card(), &[], &given).unwrap();
    assert_eq!(generate(&service, &again).remove(0).png, image.png);
    let none = Given { concept_image: None, ..given };
    let error = replay(&description, service.card(), &[], &none).unwrap_err();
    assert!(matches!(error, ServeError::Invalid { field: "concept_image", .. }), "{error}");

    let wanted =
        GenerateRequest { adapters: vec![lora], concept_image: Some(picture()), ..request() };
    let error = service.generate(&wanted, &mut |_| (), &CancelToken::new()).unwrap_err();
    assert!(matches!(error, ServeError::Invalid { field: "concept_image", .. }), "{error}");
    let card = one.path.join("card.json");
    let text = std::fs::read_to_string(&card).unwrap();
    let hash = service.card().weights_sha256.clone();
    std::fs::write(&card, text.replace(&hash, &"0".repeat(64))).unwrap();
    let wanted = GenerateRequest { adapters: vec![one], ..request() };
    let error = service.generate(&wanted, &mut |_| (), &CancelToken::new()).unwrap_err();
    assert!(matches!(error, ServeError::Adapter(AdapterError::WrongBase { .. })), "{error}");
}
