#![allow(clippy::unwrap_used)]

use super::*;

/// Findings, view position, age group, sex, free text; `-` for nothing.
fn read(transcript: &str) -> String {
    let prompt = spoken(transcript);
    assert!(prompt.sentence().is_ok(), "{transcript}: {prompt:?}");
    let slugs: Vec<&str> = prompt.findings.iter().map(|one| one.finding.as_str()).collect();
    let or = |part: Option<&str>| part.unwrap_or("-").to_owned();
    format!(
        "{}|{}|{}|{}|{}",
        if prompt.findings.is_empty() { "-".to_owned() } else { slugs.join(" ") },
        or(prompt.view_position.as_deref()),
        or(prompt.age_group.map(AgeGroup::word)),
        or(prompt.sex.and_then(Sex::word)),
        or(prompt.text.as_deref()),
    )
}

#[test]
fn requests_become_their_parts() {
    for (said, expected) in [
        (
            "Chest radiograph of a child with bacterial pneumonia, frontal view.",
            "bacterial_pneumonia|-|child|-|frontal",
        ),
        (
            "Show me an AP view of a 5-year-old boy, viral pneumonia.",
            "viral_pneumonia|AP|child|male|5-year-old",
        ),
        (
            "PA chest X-ray of an adult woman with cardiomegaly and bilateral pleural effusions",
            "cardiomegaly effusion|PA|adult|female|bilateral",
        ),
        (
            "Left lateral view, pulmonary nodules in the right upper lobe",
            "nodule|LL|-|-|right upper lobe",
        ),
        ("A normal chest radiograph, please.", "normal|-|-|-|-"),
        ("no finding, a p view", "normal|AP|-|-|-"),
        ("A man 67 years of age with emphysema.", "emphysema|-|adult|male|67 years of age"),
        ("", "-|-|-|-|-"),
        ("...!?", "-|-|-|-|-"),
    ] {
        assert_eq!(read(said), expected, "{said}");
    }
}

#[test]
fn what_is_denied_or_not_sure_stays_in_the_text() {
    for (said, expected) in [
        ("effusion without pneumothorax", "effusion|-|-|-|without pneumothorax"),
        ("no pneumonia or effusion, but an edema", "edema|-|-|-|no pneumonia or effusion, but"),
        (
            "No evidence of consolidation. Atelectasis.",
            "atelectasis|-|-|-|No evidence of consolidation",
        ),
        // Beside a finding, normal speaks of the heart.
        ("normal heart size, pneumothorax", "pneumothorax|-|-|-|normal heart size"),
        ("lateral view of a child", "-|-|child|-|lateral"),
        // The second of two contradictions can be read and corrected.
        ("a male child, female adult", "-|-|child|male|female adult"),
        // A duration is no age.
        ("pneumonia for two weeks", "pneumonia|-|-|-|two weeks"),
        ("a massive abnormality", "-|-|-|-|massive abnormality"),
    ] {
        assert_eq!(read(said), expected, "{said}");
    }
}

#[test]
fn chinese_is_read_in_both_scripts() {
    for (said, expected) in [
        ("请生成一张儿童细菌性肺炎的胸片，前后位。", "bacterial_pneumonia|AP|child|-|-"),
        ("成年女性，胸腔積液，沒有氣胸", "effusion|-|adult|female|沒有氣胸"),
        ("5岁男孩，病毒性肺炎", "viral_pneumonia|-|child|male|5岁"),
    ] {
        assert_eq!(read(said), expected, "{said}");
    }
}

#[test]
fn every_word_of_the_vocabulary_is_heard() {
    for finding in findings() {
        for word in finding.words() {
            let prompt = spoken(&format!("An image of {word}, please"));
            assert_eq!(prompt.findings, [finding.slug], "{word}");
        }
    }
    for (word, slug) in CHINESE_FINDINGS {
        assert_eq!(spoken(word).findings, [*slug], "{word}");
    }
}

#[test]
fn anything_at_all_becomes_a_prompt_that_can_be_said() {
    for said in [
        "___ seen [** Smith **]",
        "\u{0}",
        "ﬁ İ ß ' ’ '",
        "5",
        "5 year",
        "no",
        "ap ap pa",
        "一个月",
    ] {
        let _ = read(said);
    }
    let long = "word ".repeat(2_000);
    assert!(spoken(&long).text.unwrap().chars().count() <= LONGEST_TEXT);
}
