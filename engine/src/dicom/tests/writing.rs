use dicom_dictionary_std::tags;

use crate::dicom::attributes::{items, text};
use crate::dicom::{
    AdapterUse, Frame, Provenance, SyntheticDescription, png_with_provenance, read, render_png,
    write_synthetic,
};
use crate::terms::{AgeGroup, DescribedFinding, Sex};

pub(super) fn gradient(width: u32, height: u32) -> Frame {
    let count = width * height;
    let pixels = (0..count).map(|i| i as f32 / (count - 1) as f32).collect();
    Frame { width, height, pixels }
}

pub(super) fn description() -> SyntheticDescription {
    SyntheticDescription {
        age_group: Some(AgeGroup::Child),
        sex: Some(Sex::Male),
        view_position: Some("AP".into()),
        findings: vec!["bacterial_pneumonia".into(), "pleural thickening".into()],
        prompt: "chest radiograph, AP view, child, male, bacterial pneumonia".into(),
        provenance: Provenance {
            program: "skiagraph-engine".into(),
            version: "0.1.0".into(),
            model: "starter".into(),
            model_sha256: "ab".repeat(32),
            adapters: vec![AdapterUse {
                name: "ward-7".into(),
                sha256: "cd".repeat(32),
                scale: 0.8,
            }],
            seed: 42,
            steps: 30,
            guidance_scale: 3.0,
            scheduler: "ddim".into(),
            ..Provenance::default()
        },
    }
}

#[test]
fn a_synthetic_object_gives_its_frame_back_and_says_what_it_is() {
    let frame = gradient(61, 40);
    let bytes = write_synthetic(&frame, &description()).unwrap();
    let back = read(&bytes).unwrap();
    assert_eq!((back.frame.width, back.frame.height), (61, 40));
    for (got, expected) in back.frame.pixels.iter().zip(&frame.pixels) {
        assert!((got - expected).abs() <= 0.5 / 4095.0 + 1e-6);
    }
    assert!(back.header.synthetic);
    assert_eq!(back.header.findings, ["bacterial pneumonia", "pleural thickening"]);
    assert_eq!(back.header.sex, Some(Sex::Male));
    assert_eq!(back.header.view_position.as_deref(), Some("AP"));
    assert_eq!(back.header.bits_stored, 12);
    assert!(back.header.patient_id.starts_with("SYNTHETIC-"));

    let object = dicom_object::from_reader(bytes.as_slice()).unwrap();
    let equipment = &items(&object, tags::CONTRIBUTING_EQUIPMENT_SEQUENCE)[0];
    let purpose = &items(equipment, tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE)[0];
    assert_eq!(text(purpose, tags::CODE_VALUE).unwrap(), "109100");
    let said = text(equipment, tags::CONTRIBUTION_DESCRIPTION).unwrap();
    for part in ["seed=42", "steps=30", "guidance_scale=3", "adapter=ward-7@0.8", "abab", "ddim"] {
        assert!(said.contains(part), "{part} is not in {said:?}");
    }
    assert!(text(&object, tags::PATIENT_NAME).unwrap().starts_with("Synthetic^"));
    let again = read(&write_synthetic(&frame, &description()).unwrap()).unwrap();
    assert_ne!(again.header.sop_instance_uid, back.header.sop_instance_uid);
    assert_ne!(again.header.patient_id, back.header.patient_id);
}

#[test]
fn findings_keep_place_and_severity_as_codes() {
    let entry = |finding: &str, place: Option<&str>, severity: Option<&str>| DescribedFinding {
        finding: finding.into(),
        place: place.map(str::to_owned),
        severity: severity.map(str::to_owned),
        weight: None,
    };
    let findings = vec![
        entry("pneumonia", Some("right_lower_lobe"), Some("severe")),
        entry("effusion", Some("left"), Some("mild")),
        entry("effusion", Some("right"), None),
        entry("pleural_thickening", Some("both_apices"), None),
        "mass".into(),
    ];
    let described = SyntheticDescription { findings: findings.clone(), ..description() };
    let bytes = write_synthetic(&gradient(4, 4), &described).unwrap();
    let header = read(&bytes).unwrap().header;
    assert_eq!(header.described, findings);
    assert_eq!(header.findings, ["pneumonia", "effusion", "pleural thickening", "mass"]);
    let object = dicom_object::from_reader(bytes.as_slice()).unwrap();
    let diagnoses = items(&object, tags::ADMITTING_DIAGNOSES_CODE_SEQUENCE);
    let codes = |item| -> Vec<String> {
        items(item, tags::MODIFIER_CODE_SEQUENCE)
            .iter()
            .map(|code| text(code, tags::CODE_VALUE).unwrap())
            .collect()
    };
    // Right, lower lobe of lung, severe; left, mild.
    assert_eq!(codes(&diagnoses[0]), ["24028007", "90572001", "24484000"]);
    assert_eq!(codes(&diagnoses[1]), ["7771000", "255604002"]);
    assert!(codes(&diagnoses[4]).is_empty());
    let mut unknown = described;
    unknown.findings[0].place = Some("elbow".into());
    assert!(write_synthetic(&gradient(2, 2), &unknown).is_err());
}

#[test]
fn what_cannot_be_written_is_refused() {
    let empty = Frame { width: 0, height: 4, pixels: vec![] };
    assert!(write_synthetic(&empty, &description()).is_err());
    let short = Frame { width: 2, height: 2, pixels: vec![0.0] };
    assert!(write_synthetic(&short, &description()).is_err());
    let mut unknown = description();
    unknown.findings.push("broken leg".into());
    assert!(write_synthetic(&gradient(2, 2), &unknown).is_err());
    let mut view = description();
    view.view_position = Some("ZZ".into());
    assert!(write_synthetic(&gradient(2, 2), &view).is_err());
}

#[test]
fn long_and_wild_text_stays_within_its_value() {
    let mut wild = description();
    wild.prompt = "a\\b\n".repeat(2_000);
    wild.provenance.model = "m".repeat(500);
    let object =
        dicom_object::from_reader(write_synthetic(&gradient(2, 2), &wild).unwrap().as_slice())
            .unwrap();
    assert!(text(&object, tags::DERIVATION_DESCRIPTION).unwrap().len() <= 1_024);
    let equipment = &items(&object, tags::CONTRIBUTING_EQUIPMENT_SEQUENCE)[0];
    assert_eq!(text(equipment, tags::MANUFACTURER_MODEL_NAME).unwrap().len(), 64);
}

#[test]
fn a_window_stretches_a_picture() {
    let frame = Frame { width: 2, height: 2, pixels: vec![0.0, 0.25, 0.5, 1.0] };
    let shown = |window| {
        let png = render_png(&frame, window).unwrap();
        image::load_from_memory(&png).unwrap().into_luma8().into_raw()
    };
    assert_eq!(shown(None), [0, 64, 128, 255]);
    assert_eq!(shown(Some((0.25, 0.5))), [0, 128, 255, 255]);
    assert!(render_png(&frame, Some((0.5, 0.0))).is_err());
    assert!(render_png(&frame, Some((f32::NAN, 1.0))).is_err());
}

#[test]
fn a_picture_carries_its_provenance() {
    let bytes = png_with_provenance(&gradient(4, 4), &description()).unwrap();
    let reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
    let texts: std::collections::BTreeMap<String, String> = reader
        .info()
        .utf8_text
        .iter()
        .map(|chunk| (chunk.keyword.clone(), chunk.get_text().unwrap()))
        .collect();
    assert_eq!(texts["Synthetic"], "YES");
    assert_eq!(texts["Description"], description().prompt);
    let written: SyntheticDescription = serde_json::from_str(&texts["Provenance"]).unwrap();
    assert_eq!(written, description());
    assert!(texts["XML:com.adobe.xmp"].contains("trainedAlgorithmicMedia"));
}
