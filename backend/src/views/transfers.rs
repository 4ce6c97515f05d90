//! Transfers of images to archives, on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::checks::Checks;
use super::limits;
use crate::error::FieldError;
use crate::models::state::{Progress, State};

/// Images to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTransfer {
    /// Your own released images, up to 100, in the order in which they are sent.
    pub image_ids: Vec<String>,
    /// Name of the archive.
    pub destination: String,
}

impl NewTransfer {
    /// Checks every field.
    pub fn checked(self) -> Result<Self, Vec<FieldError>> {
        let mut checks = Checks::new();
        let (count, range) = (self.image_ids.len(), limits::TRANSFERRED);
        if !range.contains(&count) {
            let cause = format!("must hold {} to {} images", range.start(), range.end());
            checks.fault("image_ids", cause);
        }
        for (index, id) in self.image_ids.iter().enumerate() {
            if self.image_ids[..index].contains(id) {
                checks.fault(format!("image_ids[{index}]"), "is named twice");
            }
        }
        checks.finish(self)
    }
}

/// A transfer.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransferView {
    /// Identifier.
    pub id: String,
    /// The images.
    pub image_ids: Vec<String>,
    /// Name of the archive.
    pub destination: String,
    /// Where it stands.
    pub state: State,
    /// How many images the archive has answered for.
    pub progress: Progress,
    /// Why it failed.
    pub error: Option<String>,
    /// What the archive kept with a warning, and why.
    pub warning: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
}
