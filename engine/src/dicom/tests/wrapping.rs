use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::dicom::{Columns, WrapError, WrapOptions, WrapSummary, read_file, wrap};
use crate::terms::Sex;

/// A folder with images and a table, and the options to wrap it.
pub(super) struct Desk {
    folder: tempfile::TempDir,
    pub(super) options: WrapOptions,
}

impl Desk {
    /// Images are 20 × 20, each grey by its number.
    pub(super) fn new(table: &str, images: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("images")).unwrap();
        for (number, name) in images.iter().enumerate() {
            let grey = image::GrayImage::from_fn(20, 20, |x, y| {
                image::Luma([((x * 10 + y + number as u32 * 3) % 256) as u8])
            });
            grey.save(at("images").join(name)).unwrap();
        }
        fs::write(at("labels.csv"), table).unwrap();
        let options = WrapOptions {
            images: at("images"),
            table: at("labels.csv"),
            out: at("out"),
            ..WrapOptions::default()
        };
        Self { folder, options }
    }

    pub(super) fn wrap(&self) -> Result<WrapSummary, WrapError> {
        wrap(&self.options, &mut |_, _| ())
    }

    pub(super) fn out(&self) -> &Path {
        &self.options.out
    }

    /// The error, after a look that nothing was left behind.
    fn refused(&self) -> String {
        let error = self.wrap().unwrap_err().to_string();
        let left: BTreeSet<_> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(left, ["images", "labels.csv"].map(String::from).into(), "{error}");
        error
    }
}

const ADULTS: &str = "file,findings,patient,age,sex,view,followup\n\
    a.jpg,Infiltration|Effusion,17,58,M,PA,1\n\
    b.png,No Finding,18,7,F,AP,0\n";

#[test]
fn a_table_of_adults_is_understood_by_its_column_names() {
    let desk = Desk::new(ADULTS, &["a.jpg", "b.png"]);
    let summary = desk.wrap().unwrap();
    assert_eq!((summary.objects, summary.patients, summary.unsquashed), (2, 2, 0));
    let first = read_file(&desk.out().join("a.dcm")).unwrap();
    assert_eq!(first.header.findings, ["effusion", "infiltration"]);
    assert_eq!(first.header.age_years, Some(58.0));
    assert_eq!(first.header.sex, Some(Sex::Male));
    assert_eq!(first.header.view_position.as_deref(), Some("PA"));
    assert_eq!(first.header.patient_id, "17");
    assert!(!first.header.synthetic);
    let second = read_file(&desk.out().join("b.dcm")).unwrap();
    assert_eq!(second.header.findings, ["normal"]);
    // A PNG is not lossy: the pixels come back as they were.
    assert_eq!(second.frame.pixels[21], 14.0 / 255.0);
}

#[test]
fn squashed_images_get_their_aspect_back() {
    let table = "file,label,patient,original_width,original_height\n\
        a.png,normal,p1,3000,2000\n\
        b.png,viral pneumonia,p2,,\n";
    let mut desk = Desk::new(table, &["a.png", "b.png"]);
    assert_eq!(
        desk.refused(),
        "row 3, column original_width: empty, and no default aspect is given"
    );
    desk.options.default_aspect = Some(1.41);
    desk.options.default_view = Some("AP".into());
    desk.options.default_age = Some(3);
    let summary = desk.wrap().unwrap();
    assert_eq!(summary.unsquashed, 2);
    let first = read_file(&desk.out().join("a.dcm")).unwrap();
    assert_eq!((first.frame.width, first.frame.height), (30, 20));
    assert_eq!(first.header.view_position.as_deref(), Some("AP"));
    assert_eq!(first.header.age_years, Some(3.0));
    let second = read_file(&desk.out().join("b.dcm")).unwrap();
    assert_eq!((second.frame.width, second.frame.height), (28, 20));
}

#[test]
fn wrapping_twice_gives_the_same_bytes() {
    let read = || {
        let desk = Desk::new(ADULTS, &["a.jpg", "b.png"]);
        desk.wrap().unwrap();
        ["a.dcm", "b.dcm"].map(|name| fs::read(desk.out().join(name)).unwrap())
    };
    let once = read();
    assert_eq!(once, read());
    assert_ne!(once[0], once[1]);
}

#[test]
fn a_bad_row_is_named_and_nothing_is_written() {
    let images = ["a.jpg", "b.png"];
    for (table, message) in [
        ("file,findings,patient\na.jpg,Gout,1\n", "row 2, column findings: not a known finding"),
        ("file,findings,patient\na.jpg,,1\n", "row 2, column findings: empty"),
        ("file,findings,patient\na.jpg,normal|mass,1\n", "row 2, column findings: normal excludes"),
        ("file,findings,patient\nb.png,mass,1\nc.png,mass,1\n", "row 3, column file: no such file"),
        ("file,findings,patient\n../labels.csv,mass,1\n", "row 2, column file: leads out"),
        ("file,findings,patient\na.jpg,mass,\n", "row 2, column patient: empty"),
        ("file,findings,patient\na.jpg,mass,1\na.jpg,mass,1\n", "row 3, column file: another row"),
        ("file,findings,patient,age\na.jpg,mass,1,old\n", "row 2, column age: not an age"),
        ("file,findings,patient,sex\na.jpg,mass,1,X\n", "row 2, column sex: not F, M or O"),
        ("file,findings,patient,view\na.jpg,mass,1,XX\n", "row 2, column view: not a known view"),
        ("file,findings,patient\na.jpg,mass\n", "label table: row 2 has 2 cells"),
        ("file,findings\na.jpg,mass\n", "label table: no column is called patient"),
        ("file,findings,patient\n", "label table: no rows"),
    ] {
        for table in [table.to_owned(), table.replace('\n', "\r\n")] {
            let error = Desk::new(&table, &images).refused();
            assert!(error.starts_with(message), "{error:?} does not begin {message:?}");
        }
    }
    // An image that only decoding shows to be damaged comes late, and still leaves nothing.
    let desk = Desk::new(ADULTS, &["a.jpg", "b.png"]);
    fs::write(desk.options.images.join("b.png"), b"\x89PNG\r\n\x1a\nrubbish").unwrap();
    let error = desk.refused();
    assert!(error.starts_with("row 3, column file: the image is damaged"), "{error}");
}

#[test]
fn options_are_checked_too() {
    let refuse = |change: &dyn Fn(&mut WrapOptions)| {
        let mut desk = Desk::new(ADULTS, &["a.jpg", "b.png"]);
        change(&mut desk.options);
        desk.refused()
    };
    assert!(refuse(&|o| o.default_view = Some("up".into())).starts_with("view: "));
    assert!(refuse(&|o| o.default_aspect = Some(0.0)).starts_with("default-aspect: "));
    assert!(refuse(&|o| o.limit = Some(0)).starts_with("limit: "));
    let columns = Columns { age: Some("years".into()), ..Columns::default() };
    assert!(
        refuse(&|o| o.columns = columns.clone()).starts_with("label table: no column is called")
    );
    let desk = Desk::new(ADULTS, &["a.jpg", "b.png"]);
    desk.wrap().unwrap();
    assert!(desk.wrap().unwrap_err().to_string().starts_with("out: "));
}

#[test]
fn a_limit_spreads_over_labels_and_patients() {
    let names: Vec<String> = (0..40).map(|number| format!("{number}.png")).collect();
    let mut table = "image,label,patient\n".to_owned();
    for (number, name) in names.iter().enumerate() {
        // Thirty normal images of three patients, ten of mass of ten patients.
        let (label, patient) = if number < 30 { ("normal", number % 3) } else { ("mass", number) };
        writeln!(table, "{name},{label},p{patient}").unwrap();
    }
    let images: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut desk = Desk::new(&table, &images);
    desk.options.limit = Some(6);
    let summary = desk.wrap().unwrap();
    assert_eq!((summary.objects, summary.patients), (6, 6));
    assert_eq!((summary.findings["normal"], summary.findings["mass"]), (3, 3));
}
