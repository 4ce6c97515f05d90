use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

use super::fixtures::{Object, pattern, run_lengths};
use crate::dicom::{DicomError, inspect, read};

/// The message of both readers, which must agree on what needs no decoding.
fn refused(object: &Object) -> String {
    let bytes = object.bytes();
    let error = read(&bytes).unwrap_err().to_string();
    assert_eq!(inspect(&bytes).unwrap_err().to_string(), error);
    error
}

#[test]
fn what_is_no_radiograph_is_refused_with_the_reason() {
    let object = Object::words(2, &[0; 4]);
    for (changed, begins) in [
        (
            object.clone().text(tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE),
            "SOPClassUID (0008,0016): not a radiograph but CT Image Storage: DX, CR, MG",
        ),
        (
            object
                .clone()
                .text(tags::SOP_CLASS_UID, VR::UI, uids::SECONDARY_CAPTURE_IMAGE_STORAGE)
                .text(tags::MODALITY, VR::CS, "US"),
            "Modality (0008,0060): a Secondary Capture",
        ),
        (
            object.clone().text(tags::NUMBER_OF_FRAMES, VR::IS, "2"),
            "NumberOfFrames (0028,0008): 2 frames; which one",
        ),
        (object.clone().short(tags::SAMPLES_PER_PIXEL, 3), "SamplesPerPixel (0028,0002): 3"),
        (
            object.clone().text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB"),
            "PhotometricInterpretation (0028,0004)",
        ),
        (object.clone().short(tags::ROWS, 0), "Rows (0028,0010): absent, or no positive"),
        (object.clone().without(tags::COLUMNS), "Columns (0028,0011): absent"),
        (object.clone().short(tags::BITS_STORED, 17), "BitsStored (0028,0101)"),
        (object.clone().short(tags::HIGH_BIT, 3), "HighBit (0028,0102)"),
        (object.clone().short(tags::BITS_ALLOCATED, 32), "BitsAllocated (0028,0100)"),
        (object.clone().without(tags::PIXEL_DATA), "PixelData (7FE0,0010): absent"),
        (
            object.clone().short(tags::ROWS, 60_000).short(tags::COLUMNS, 60_000),
            "unsupported object: 60000 × 60000 pixels",
        ),
        (
            object.clone().short(tags::ROWS, 3),
            "PixelData (7FE0,0010): 2 × 3 pixels need 12 bytes, and 8 are there",
        ),
        (object.clone().syntax("1.2.840.10008.1.2.4.80"), "PixelData (7FE0,0010): not encoded"),
        (
            object.clone().text(
                tags::SOP_CLASS_UID,
                VR::UI,
                uids::X_RAY_RADIOFLUOROSCOPIC_IMAGE_STORAGE,
            ),
            "SOPClassUID (0008,0016): not a radiograph but X-Ray Radiofluoroscopic Image Storage: \
             fluoroscopy",
        ),
        (object.clone().syntax("1.2.840.10008.1.2.4.94"), "unsupported object: the pixels lie"),
    ] {
        let error = refused(&changed);
        assert!(error.starts_with(begins), "{error:?} does not begin {begins:?}");
    }
    let no_decoder =
        Object::compressed(2, 2, 8, "1.2.840.10008.1.2.4.100", vec![vec![0, 0, 1, 0xB3]]);
    assert!(refused(&no_decoder).contains("no decoder"));
    let slope = object.text(tags::RESCALE_SLOPE, VR::DS, "0");
    let error = read(&slope.bytes()).unwrap_err().to_string();
    assert!(error.starts_with("RescaleSlope (0028,1053)"), "{error}");
}

#[test]
fn a_stream_of_another_size_is_refused_before_it_is_decoded() {
    let mut stream = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut stream)
        .encode(&[128; 64 * 64], 64, 64, image::ExtendedColorType::L8)
        .unwrap();
    let object = Object::compressed(8, 8, 8, uids::JPEG_BASELINE8_BIT, vec![stream.clone()]);
    assert!(refused(&object).contains("holds 64 × 64 pixels of 1 components"));
    let deeper = Object::compressed(64, 64, 12, uids::JPEG_LOSSLESS_SV1, vec![stream]);
    assert!(refused(&deeper).contains("8 bits a pixel, the header stores 12"));
    let nothing = Object::compressed(8, 8, 8, uids::JPEG2000, vec![vec![1, 2, 3, 4]]);
    assert!(refused(&nothing).contains("no frame header"));
}

#[test]
fn truncated_bytes_are_an_error_at_every_length() {
    let native = Object::words(16, &pattern()).bytes();
    let mut stream = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut stream)
        .encode(&[128; 64 * 64], 64, 64, image::ExtendedColorType::L8)
        .unwrap();
    let jpeg = Object::compressed(64, 64, 8, uids::JPEG_BASELINE8_BIT, vec![stream]).bytes();
    for whole in [native, jpeg] {
        read(&whole).unwrap();
        for length in 0..whole.len() - 8 {
            assert!(read(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
    }
}

#[test]
fn damaged_bytes_never_stop_the_program() {
    let rle =
        Object::compressed(16, 12, 10, uids::RLE_LOSSLESS, vec![run_lengths(&pattern())]).bytes();
    let native = Object::words(16, &pattern()).bytes();
    for whole in [rle, native] {
        for at in (128..whole.len()).step_by(3) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xFF;
            let _ = read(&damaged);
        }
    }
}

#[test]
fn errors_hold_no_values_of_attributes() {
    let object = Object::words(2, &[0; 4])
        .text(tags::PATIENT_NAME, VR::PN, "Secret^Name")
        .text(tags::MODALITY, VR::CS, "SECRETMOD")
        .text(tags::SOP_CLASS_UID, VR::UI, uids::SECONDARY_CAPTURE_IMAGE_STORAGE);
    assert!(!refused(&object).to_lowercase().contains("secret"));
    assert!(matches!(read(b"Secret"), Err(DicomError::NotDicom { .. })));
}
