//! Between a message's data set and a file (PS3.10): what stands in a file's meta information is agreed
//! upon by an association.

use std::io::Cursor;

use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject, OpenFileOptions};
use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;

use super::super::DicomError;
use super::super::attributes::text;
use super::super::dx::{IMPLEMENTATION, IMPLEMENTATION_CLASS};
use super::super::pixels::innermost;
use super::super::scan::scan;
use super::super::source::open;

/// What an object is, as whoever sends it has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// SOP Class UID (0008,0016).
    pub class: String,
    /// SOP Instance UID (0008,0018).
    pub instance: String,
    /// Transfer Syntax UID (0002,0010).
    pub transfer_syntax: String,
    /// Where its data set begins.
    pub(super) data_set: u64,
    /// Synthetic Data (0008,001C) is YES.
    pub synthetic: bool,
}

/// Reads what an object is.
pub(super) fn identify(bytes: &[u8]) -> Result<Identity, DicomError> {
    let scanned = scan(&mut Cursor::new(bytes))?;
    let opened = open(Cursor::new(bytes))?;
    let uid = |tag, keyword, name| {
        text(&opened.object, tag).ok_or_else(|| DicomError::attribute(keyword, name, "absent"))
    };
    Ok(Identity {
        class: uid(tags::SOP_CLASS_UID, "SOPClassUID", "0008,0016")?,
        instance: uid(tags::SOP_INSTANCE_UID, "SOPInstanceUID", "0008,0018")?,
        transfer_syntax: scanned.transfer_syntax,
        data_set: scanned.data_set,
        synthetic: text(&opened.object, tags::SYNTHETIC_DATA).as_deref() == Some("YES"),
    })
}

/// Transfer syntaxes in which an object may be sent, the best first: as it is, and where its pixels are
/// not compressed, in the one that every archive must take (PS3.5 10.1).
pub(super) fn offered(identity: &Identity) -> Vec<&str> {
    let own = identity.transfer_syntax.as_str();
    match own {
        uids::EXPLICIT_VR_LITTLE_ENDIAN => vec![own, uids::IMPLICIT_VR_LITTLE_ENDIAN],
        _ => vec![own],
    }
}

/// The data set of a file in a transfer syntax that was [`offered`].
pub(super) fn data_set(
    bytes: &[u8],
    identity: &Identity,
    transfer_syntax: &str,
) -> Result<Vec<u8>, DicomError> {
    if transfer_syntax == identity.transfer_syntax {
        return Ok(bytes.get(identity.data_set as usize..).unwrap_or_default().to_vec());
    }
    let object = OpenFileOptions::new()
        .from_reader(Cursor::new(bytes))
        .map_err(|error| DicomError::Damaged { cause: innermost(&error) })?;
    let mut set = Vec::new();
    let target = IMPLICIT_VR_LITTLE_ENDIAN.erased();
    let plain: &InMemDicomObject = &object;
    plain
        .write_dataset_with_ts(&mut set, &target)
        .map_err(|error| DicomError::Write { cause: innermost(&error) })?;
    Ok(set)
}

/// What stands in a file before the data set: preamble, prefix and meta information.
pub(super) fn head(
    class: &str,
    instance: &str,
    transfer_syntax: &str,
    sender: &str,
) -> Result<Vec<u8>, DicomError> {
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(class)
        .media_storage_sop_instance_uid(instance)
        .transfer_syntax(transfer_syntax)
        .implementation_class_uid(IMPLEMENTATION_CLASS)
        .implementation_version_name(IMPLEMENTATION)
        .source_application_entity_title(sender)
        .build()
        .map_err(|error| DicomError::Write { cause: innermost(&error) })?;
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    meta.write(&mut bytes).map_err(|error| DicomError::Write { cause: innermost(&error) })?;
    Ok(bytes)
}
