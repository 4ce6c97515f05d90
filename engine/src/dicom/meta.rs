//! What a file of ours begins with: preamble, prefix and meta information (PS3.10 chapter 7).
//!
//! Meta information names what the file holds. What it says must be what the data set says, and must be
//! UIDs: a file that names its object otherwise is read by nobody, not even here. So all that is written
//! gets its beginning from this place, which refuses anything else.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, FileMetaTable, FileMetaTableBuilder, InMemDicomObject};

use super::DicomError;
use super::attributes::texts;
use super::dx::failed;
use super::uid::is_valid;

/// Under which name this program writes objects (0002,0013); at most 16 characters.
pub(super) const IMPLEMENTATION: &str = concat!("SKIAGRAPH_", env!("CARGO_PKG_VERSION"));
/// UID of the implementation (0002,0012), derived from the product's name once and for all.
pub(super) const IMPLEMENTATION_CLASS: &str = "2.25.184099836766086107825602577334714295142";

/// What a file is said to hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contents<'a> {
    /// SOP Class UID.
    pub(super) class: &'a str,
    /// SOP Instance UID.
    pub(super) instance: &'a str,
    /// Transfer Syntax UID.
    pub(super) transfer_syntax: &'a str,
    /// AE title of who sent it, where somebody did.
    pub(super) sender: Option<&'a str>,
}

/// Class and instance of a data set.
///
/// # Errors
/// [`DicomError::Attribute`] of the one that is absent, no UID, or has several values.
pub(super) fn named(set: &InMemDicomObject) -> Result<(String, String), DicomError> {
    let uid = |tag: Tag, keyword, name| {
        let values = texts(set, tag);
        let cause = match values.as_slice() {
            [one] if is_valid(one) => return Ok(one.clone()),
            [] => "absent",
            [one] if one.is_empty() => "absent",
            [_] => "is no UID",
            _ => "has several values, and an object one name",
        };
        Err(DicomError::attribute(keyword, name, cause))
    };
    Ok((
        uid(tags::SOP_CLASS_UID, "SOPClassUID", "0008,0016")?,
        uid(tags::SOP_INSTANCE_UID, "SOPInstanceUID", "0008,0018")?,
    ))
}

/// A data set with the meta information of a file of ours.
///
/// # Errors
/// As [`named`] and [`table`].
pub(super) fn with_meta(
    set: InMemDicomObject,
    transfer_syntax: &str,
) -> Result<DefaultDicomObject, DicomError> {
    let (class, instance) = named(&set)?;
    let contents = Contents { class: &class, instance: &instance, transfer_syntax, sender: None };
    let table = table(contents)?;
    Ok(set.with_exact_meta(table))
}

/// Everything that stands in a file before its data set.
///
/// # Errors
/// As [`table`].
pub(super) fn head(contents: Contents) -> Result<Vec<u8>, DicomError> {
    written(&table(contents)?)
}

/// A head for the parser alone, which asks it for nothing but the transfer syntax.
pub(super) fn for_parser(transfer_syntax: &str) -> Result<Vec<u8>, DicomError> {
    let meta = builder(transfer_syntax)
        .media_storage_sop_class_uid("")
        .media_storage_sop_instance_uid("")
        .build();
    written(&meta.map_err(|error| failed(&error))?)
}

/// The table of table 7.1-1 of PS3.10.
///
/// # Errors
/// [`DicomError::Attribute`] of what is no UID, or no AE title.
fn table(contents: Contents) -> Result<FileMetaTable, DicomError> {
    let Contents { class, instance, transfer_syntax, sender } = contents;
    for (uid, keyword, name) in [
        (class, "MediaStorageSOPClassUID", "0002,0002"),
        (instance, "MediaStorageSOPInstanceUID", "0002,0003"),
        (transfer_syntax, "TransferSyntaxUID", "0002,0010"),
    ] {
        if !is_valid(uid) {
            return Err(DicomError::attribute(keyword, name, "is no UID"));
        }
    }
    let mut builder = builder(transfer_syntax)
        .media_storage_sop_class_uid(class)
        .media_storage_sop_instance_uid(instance);
    if let Some(sender) = sender {
        if !is_ae_title(sender) {
            let (keyword, tag) = ("SourceApplicationEntityTitle", "0002,0016");
            return Err(DicomError::attribute(keyword, tag, "is no AE title"));
        }
        builder = builder.source_application_entity_title(sender);
    }
    builder.build().map_err(|error| failed(&error))
}

fn builder(transfer_syntax: &str) -> FileMetaTableBuilder {
    FileMetaTableBuilder::new()
        .transfer_syntax(transfer_syntax)
        .implementation_class_uid(IMPLEMENTATION_CLASS)
        .implementation_version_name(IMPLEMENTATION)
}

fn written(table: &FileMetaTable) -> Result<Vec<u8>, DicomError> {
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    table.write(&mut bytes).map_err(|error| failed(&error))?;
    Ok(bytes)
}

/// Whether a text is an AE title: up to 16 characters without a backslash and control characters, of
/// which one at least is no space (PS3.5 6.2).
pub(super) fn is_ae_title(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && c != '\\' || c == ' ';
    (1..=16).contains(&text.len()) && text.chars().all(plain) && !text.trim().is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use dicom_core::value::PrimitiveValue;
    use dicom_core::{DataElement, VR};
    use dicom_dictionary_std::uids;

    use super::*;
    use crate::dicom::dx::encode_as;

    const SYNTAX: &str = uids::EXPLICIT_VR_LITTLE_ENDIAN;

    /// A data set whose instance has these values; without any, it has no such element.
    fn set(instance: &[&str]) -> InMemDicomObject {
        let class = uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION;
        let mut set = InMemDicomObject::new_empty();
        set.put(DataElement::new(tags::SOP_CLASS_UID, VR::UI, PrimitiveValue::from(class)));
        if !instance.is_empty() {
            let values = instance.iter().map(|value| (*value).to_owned()).collect();
            let values = PrimitiveValue::Strs(values);
            set.put(DataElement::new(tags::SOP_INSTANCE_UID, VR::UI, values));
        }
        set
    }

    #[test]
    fn what_is_written_names_its_object_and_reads_again() {
        // Padded, as long as a UID may be, and of odd length.
        for (value, name) in
            [("1.2.3 ", "1.2.3"), ("1.2.34\0", "1.2.34"), (&"1".repeat(64), &"1".repeat(64))]
        {
            let bytes = encode_as(set(&[value]), SYNTAX).unwrap();
            let object = dicom_object::from_reader(bytes.as_slice()).unwrap();
            let meta = object.meta();
            assert_eq!(meta.media_storage_sop_instance_uid(), name);
            let class = uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION;
            assert_eq!(meta.media_storage_sop_class_uid(), class);
            assert_eq!(meta.transfer_syntax(), SYNTAX);
            assert_eq!(meta.implementation_class_uid(), IMPLEMENTATION_CLASS);
            assert!(is_valid(IMPLEMENTATION_CLASS) && IMPLEMENTATION.len() <= 16);
        }
    }

    #[test]
    fn what_is_no_name_is_refused_by_its_attribute() {
        let long = "1".repeat(65);
        for (values, cause) in [
            (&[][..], "absent"),
            (&[""], "absent"),
            (&["  "], "absent"),
            (&["1.2.a"], "is no UID"),
            (&["1..2"], "is no UID"),
            (&["1.2\n3"], "is no UID"),
            (&[long.as_str()], "is no UID"),
            (&["1.2.3", "1.2.4"], "has several values"),
            (&["1.2.3", ""], "has several values"),
        ] {
            let error = encode_as(set(values), SYNTAX).unwrap_err().to_string();
            assert!(error.starts_with("SOPInstanceUID (0008,0018): "), "{values:?}: {error}");
            assert!(error.contains(cause), "{values:?}: {error}");
        }
        // One text with a separator in it is two values to whoever reads it.
        let mut joined = set(&["1.2.3"]);
        let value = PrimitiveValue::from("1.2.3\\1.2.4");
        joined.put(DataElement::new(tags::SOP_INSTANCE_UID, VR::UI, value));
        assert!(encode_as(joined, SYNTAX).is_err());
        let mut classless = set(&["1.2.3"]);
        classless.remove_element(tags::SOP_CLASS_UID);
        let error = encode_as(classless, SYNTAX).unwrap_err().to_string();
        assert_eq!(error, "SOPClassUID (0008,0016): absent");
    }

    #[test]
    fn what_an_association_says_is_held_against_the_same_table() {
        let good = Contents {
            class: "1.2",
            instance: "1.3",
            transfer_syntax: SYNTAX,
            sender: Some("SENDER"),
        };
        let mut bytes = head(good).unwrap();
        // An object without an element ends behind its head.
        assert_eq!(bytes.get(128..132), Some(&b"DICM"[..]));
        bytes.extend([8, 0, 5, 0, b'C', b'S', 0, 0]);
        let object = dicom_object::from_reader(bytes.as_slice()).unwrap();
        assert_eq!(object.meta().source_application_entity_title(), Some("SENDER"));
        for (contents, keyword) in [
            (Contents { class: "", ..good }, "MediaStorageSOPClassUID (0002,0002)"),
            (Contents { instance: "1.x", ..good }, "MediaStorageSOPInstanceUID (0002,0003)"),
            (Contents { transfer_syntax: "JPEG", ..good }, "TransferSyntaxUID (0002,0010)"),
            (
                Contents { sender: Some("SEVENTEEN_LETTERS"), ..good },
                "SourceApplicationEntityTitle (0002,0016)",
            ),
            (Contents { sender: Some("A\\B"), ..good }, "SourceApplicationEntityTitle (0002,0016)"),
        ] {
            let error = head(contents).unwrap_err().to_string();
            assert!(error.starts_with(keyword), "{error}");
        }
    }
}
