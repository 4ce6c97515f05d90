//! From a file (PS3.10) to what an association names and carries of it.

use std::io::{Cursor, Read};

use dicom_dictionary_std::{tags, uids};
use dicom_object::{InMemDicomObject, OpenFileOptions};
use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;

use super::super::DicomError;
use super::super::attributes::text;
use super::super::meta;
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
    /// From where to where its data set lies.
    pub(super) data_set: std::ops::Range<usize>,
    /// Its elements can be encoded in another way.
    pub(super) convertible: bool,
    /// Synthetic Data (0008,001C) is YES.
    pub synthetic: bool,
}

/// Reads what an object is.
///
/// # Errors
/// [`DicomError`] where it cannot be read, or its class or instance is no one UID.
pub(super) fn identify(bytes: &[u8]) -> Result<Identity, DicomError> {
    let scanned = scan(&mut Cursor::new(bytes))?;
    let opened = open(Cursor::new(bytes))?;
    let (class, instance) = meta::named(&opened.object)?;
    Ok(Identity {
        class,
        instance,
        convertible: scanned.transfer_syntax == uids::EXPLICIT_VR_LITTLE_ENDIAN
            && scanned.unknown.is_empty(),
        transfer_syntax: scanned.transfer_syntax,
        data_set: scanned.data_set as usize..scanned.end as usize,
        synthetic: text(&opened.object, tags::SYNTHETIC_DATA).as_deref() == Some("YES"),
    })
}

/// Transfer syntaxes in which an object may be sent, the best first: as it is, and where its pixels are
/// not compressed, in the one that every archive must take (PS3.5 10.1).
pub(super) fn offered(identity: &Identity) -> Vec<&str> {
    let own = identity.transfer_syntax.as_str();
    if identity.convertible { vec![own, uids::IMPLICIT_VR_LITTLE_ENDIAN] } else { vec![own] }
}

/// The data set of a file in a transfer syntax that was [`offered`].
pub(super) fn data_set(
    bytes: &[u8],
    identity: &Identity,
    transfer_syntax: &str,
) -> Result<Vec<u8>, DicomError> {
    let own = bytes.get(identity.data_set.clone()).unwrap_or_default();
    if transfer_syntax == identity.transfer_syntax {
        return Ok(own.to_vec());
    }
    let head = meta::for_parser(&identity.transfer_syntax)?;
    let object = OpenFileOptions::new()
        .from_reader(Cursor::new(head).chain(own))
        .map_err(|error| DicomError::Damaged { cause: innermost(&error) })?;
    let mut set = Vec::new();
    let target = IMPLICIT_VR_LITTLE_ENDIAN.erased();
    let plain: &InMemDicomObject = &object;
    plain
        .write_dataset_with_ts(&mut set, &target)
        .map_err(|error| DicomError::Write { cause: innermost(&error) })?;
    Ok(set)
}
