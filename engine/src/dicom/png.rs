//! PNG pictures: what a page shows, and the file that leaves with its provenance.

use std::borrow::Cow;

use super::provenance::{KEYWORD, SyntheticDescription};
use super::{DicomError, Frame};

/// IPTC's word for an image that a trained model made; readers of photo metadata know it.
pub const TRAINED_ALGORITHMIC_MEDIA: &str =
    "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";

/// An 8-bit greyscale PNG of a frame, through a linear window where one is given: `(centre, width)`
/// on the frame's scale of 0 to 1.
///
/// # Errors
/// [`DicomError::Write`] for an empty frame, or a window whose width is not positive.
pub fn render_png(frame: &Frame, window: Option<(f32, f32)>) -> Result<Vec<u8>, DicomError> {
    encode(frame, window, &[])
}

/// An 8-bit greyscale PNG of a synthetic frame that carries its provenance in `iTXt` chunks:
/// `Synthetic`, `Description` (the prompt), `Provenance` (the whole description as JSON, which
/// [`super::read_provenance`] gives back), and an XMP packet with IPTC's digital source type.
///
/// # Errors
/// [`DicomError::Write`] for an empty frame.
pub fn png_with_provenance(
    frame: &Frame,
    description: &SyntheticDescription,
) -> Result<Vec<u8>, DicomError> {
    let provenance = description.to_json()?;
    let packet = format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
         <rdf:Description rdf:about=\"\" \
         xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\" \
         Iptc4xmpExt:DigitalSourceType=\"{TRAINED_ALGORITHMIC_MEDIA}\"/>\
         </rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>"
    );
    encode(
        frame,
        None,
        &[
            ("Synthetic", Cow::from("YES")),
            ("Software", Cow::from(format!("Skiagraph {}", crate::VERSION))),
            ("Description", Cow::from(&description.prompt)),
            (KEYWORD, Cow::from(provenance)),
            ("XML:com.adobe.xmp", Cow::from(packet)),
        ],
    )
}

fn encode(
    frame: &Frame,
    window: Option<(f32, f32)>,
    texts: &[(&str, Cow<str>)],
) -> Result<Vec<u8>, DicomError> {
    let (center, width) = window.unwrap_or((0.5, 1.0));
    if !(width > 0.0 && center.is_finite()) {
        return Err(DicomError::attribute("WindowWidth", "0028,1051", "not positive"));
    }
    let pixels: Vec<u8> = frame
        .pixels
        .iter()
        .map(|pixel| {
            let shown = (pixel - center) / width + 0.5;
            (shown.clamp(0.0, 1.0) * 255.0).round() as u8
        })
        .collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, frame.width, frame.height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    for (keyword, text) in texts {
        encoder
            .add_itxt_chunk((*keyword).to_owned(), text.clone().into_owned())
            .map_err(|error| failed(&error))?;
    }
    let mut writer = encoder.write_header().map_err(|error| failed(&error))?;
    writer.write_image_data(&pixels).map_err(|error| failed(&error))?;
    writer.finish().map_err(|error| failed(&error))?;
    Ok(bytes)
}

fn failed(error: &dyn std::error::Error) -> DicomError {
    DicomError::Write { cause: error.to_string() }
}
