//! What the endpoints answer beside [`Refusals`](crate::controllers::Refusals), for the API's description;
//! answers themselves are made elsewhere.

use serde_json::Value;
use utoipa::{IntoResponses, ToResponse};

use crate::error::Problem;

/// What retrieval of metadata answers.
#[derive(Debug, IntoResponses)]
pub enum DataSets {
    /// Data sets, one an instance
    #[response(status = 200, content_type = "application/dicom+json")]
    Found(Vec<Value>),
    /// The client reads no DICOM JSON
    #[response(status = 406)]
    NotAcceptable(Problem),
}

/// What a search answers.
#[derive(Debug, IntoResponses)]
pub enum Results {
    /// Results
    #[response(status = 200, content_type = "application/dicom+json")]
    Found(Vec<Value>),
    /// A parameter is none
    #[response(status = 400)]
    Malformed(Problem),
    /// The client reads no DICOM JSON
    #[response(status = 406)]
    NotAcceptable(Problem),
}

/// The objects: several as parts, a single one without them where the client reads no parts
#[derive(Debug, ToResponse)]
pub enum Parts {
    /// In parts.
    Related(#[content("multipart/related")] Vec<u8>),
    /// Without.
    Single(#[content("application/dicom")] Vec<u8>),
}

/// What retrieval of objects answers.
#[derive(Debug, IntoResponses)]
pub enum Objects {
    /// The objects
    #[response(status = 200)]
    Found(#[to_response] Parts),
    /// Not in this form
    #[response(status = 406)]
    NotAcceptable(Problem),
}

/// The picture
#[derive(Debug, ToResponse)]
pub enum Picture {
    /// As JPEG.
    Jpeg(#[content("image/jpeg")] Vec<u8>),
    /// As PNG.
    Png(#[content("image/png")] Vec<u8>),
}

/// What retrieval of pictures answers.
#[derive(Debug, IntoResponses)]
pub enum Pictures {
    /// The picture
    #[response(status = 200)]
    Shown(#[to_response] Picture),
    /// A parameter cannot be used
    #[response(status = 400)]
    Malformed(Problem),
    /// Not in this form
    #[response(status = 406)]
    NotAcceptable(Problem),
}

/// What storing answers.
#[derive(Debug, IntoResponses)]
pub enum Stored {
    /// All are kept
    #[response(status = 200, content_type = "application/dicom+json")]
    All(Value),
    /// Some are kept
    #[response(status = 202, content_type = "application/dicom+json")]
    Some(Value),
    /// None is kept
    #[response(status = 409, content_type = "application/dicom+json")]
    None(Value),
    /// No parts
    #[response(status = 400)]
    Malformed(Problem),
    /// More than the limits allow
    #[response(status = 413)]
    TooLarge(Problem),
    /// No DICOM objects
    #[response(status = 415)]
    MediaType(Problem),
}
