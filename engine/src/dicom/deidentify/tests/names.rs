//! What a clean file says in its beginning (PS3.10 7.1), or why there is none.

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use skiagraph_compliance::deidentification::ProfileOption;

use super::planted::{clean, deidentifier, encoded, object};
use crate::dicom::dx::encode_as;
use crate::dicom::{Deidentified, read, uid};

/// The planted object, its instance named by these values: no writer of ours makes such a file, so the
/// values are put where others stood, of the same length.
fn named(values: &str) -> Vec<u8> {
    let value = format!("{:1<width$}", "1.2.", width = values.len());
    let mut set = object();
    set.put(DataElement::new(tags::SOP_INSTANCE_UID, VR::UI, PrimitiveValue::from(value.as_str())));
    let mut bytes = encode_as(set, uids::EXPLICIT_VR_LITTLE_ENDIAN).unwrap();
    let at: Vec<usize> = (0..bytes.len() - value.len())
        .filter(|at| bytes[*at..].starts_with(value.as_bytes()))
        .collect();
    assert_eq!(at.len(), 2, "in the meta information and in the data set");
    bytes[at[1]..at[1] + value.len()].copy_from_slice(values.as_bytes());
    bytes
}

fn reason(options: &[ProfileOption], bytes: &[u8]) -> String {
    match deidentifier(options).deidentify(std::io::Cursor::new(bytes)).unwrap() {
        Deidentified::Quarantined { reason, report } => {
            assert_eq!(report.sop_instance_uid, "");
            reason
        }
        Deidentified::Clean { .. } => panic!("a file that nobody reads"),
    }
}

#[test]
fn an_object_of_two_names_is_quarantined() {
    for values in ["1.2.34\\1.2.35", "1.2.34\\", "1.2.34.\\64751"] {
        for options in [&[][..], &[ProfileOption::RetainUids]] {
            let reason = reason(options, &named(values));
            assert_eq!(
                reason,
                "SOPInstanceUID (0008,0018): has several values, and an object one name"
            );
        }
    }
}

#[test]
fn what_is_no_uid_is_replaced_or_does_not_leave() {
    for value in ["1.2.3x", "1..2.3", "1.2 3.4"] {
        // Another UID stands where it stood.
        let bytes = clean(&deidentifier(&[]), &named(value));
        let file = dicom_object::from_reader(bytes.as_slice()).unwrap();
        let name = file.meta().media_storage_sop_instance_uid();
        assert!(uid::is_valid(name));
        assert_eq!(name, read(&bytes).unwrap().header.sop_instance_uid);
        // Whoever keeps UIDs would keep that one.
        let reason = reason(&[ProfileOption::RetainUids], &named(value));
        assert_eq!(reason, "SOPInstanceUID (0008,0018): is no UID", "{value}");
    }
}

#[test]
fn nothing_of_the_files_own_beginning_is_left() {
    let mut bytes = encoded(object());
    // Private Information Creator UID and Private Information (0002,0100), (0002,0102), and who sent it.
    let mut own = b"\x02\0\x16\0AE\x08\0QUUXJANE".to_vec();
    own.extend(b"\x02\0\0\x01UI\x04\x001.2\0");
    own.extend(b"\x02\0\x02\x01OB\0\0\x08\0\0\0ZZYXDOE ");
    let length = u32::from_le_bytes(bytes[140..144].try_into().unwrap());
    let at = 144 + length as usize;
    bytes[140..144].copy_from_slice(&(length + own.len() as u32).to_le_bytes());
    bytes.splice(at..at, own);
    let clean = clean(&deidentifier(&[]), &bytes);
    let object: InMemDicomObject = {
        let file = dicom_object::from_reader(clean.as_slice()).unwrap();
        let meta = file.meta();
        assert_eq!(meta.source_application_entity_title(), None);
        assert_eq!(meta.private_information, None);
        file.into_inner()
    };
    assert!(object.get(tags::SOP_INSTANCE_UID).is_some());
    let whole = String::from_utf8_lossy(&clean);
    assert!(!whole.contains("QUUXJANE") && !whole.contains("ZZYXDOE"));
}
