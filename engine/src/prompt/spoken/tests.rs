#![allow(clippy::unwrap_used)]

use super::modifiers::{PLACES, SEVERITIES, STYLES};
use super::phrases::{DENIALS, SPOKEN_FINDINGS};
use super::*;
use crate::terms::{Described, DescribedFinding, Severity, Sex, places};

/// Findings as captions say them, view position, style, age group, sex, free text; `-` for nothing.
fn read(transcript: &str) -> String {
    let prompt = spoken(transcript);
    assert!(prompt.sentence().is_ok(), "{transcript}: {prompt:?}");
    let described: Vec<String> = prompt.described().unwrap().iter().map(Described::words).collect();
    let or = |part: Option<&str>| part.unwrap_or("-").to_owned();
    [
        if described.is_empty() { "-".to_owned() } else { described.join(" + ") },
        or(prompt.view_position.as_deref()),
        or(prompt.style.as_deref()),
        or(prompt.age_group.map(AgeGroup::word)),
        or(prompt.sex.and_then(Sex::word)),
        or(prompt.text.as_deref()),
    ]
    .join("|")
}

fn check(table: &[(&str, &str)]) {
    let wrong: Vec<String> = table
        .iter()
        .filter(|(said, expected)| read(said) != *expected)
        .map(|(said, expected)| format!("{said}\n  {}\n  {expected}", read(said)))
        .collect();
    assert!(wrong.is_empty(), "said, read, expected:\n{}", wrong.join("\n"));
}

#[test]
fn requests_become_their_parts() {
    check(&[
        (
            "Chest radiograph of a child with bacterial pneumonia, frontal view.",
            "bacterial pneumonia|-|-|child|-|frontal",
        ),
        (
            "Show me an AP view of a 5-year-old boy, viral pneumonia.",
            "viral pneumonia|AP|-|child|male|5-year-old",
        ),
        (
            "PA chest X-ray of an adult woman with cardiomegaly and bilateral pleural effusions",
            "cardiomegaly + bilateral effusion|PA|-|adult|female|-",
        ),
        (
            "Left lateral view, pulmonary nodules in the right upper lobe",
            "nodule in the right upper lobe|LL|-|-|-|-",
        ),
        ("A normal chest radiograph, please.", "normal|-|-|-|-|-"),
        ("no finding, a p view", "normal|AP|-|-|-|-"),
        ("The lungs are unremarkable. A.P. view.", "normal|AP|-|-|-|are"),
        ("A man 67 years of age with emphysema.", "emphysema|-|-|adult|male|67 years of age"),
        ("sixty seven year old lady, edema", "edema|-|-|adult|female|sixty seven year old"),
        ("aged 7, edema", "edema|-|-|child|-|aged 7"),
        ("bedside film of a newborn", "-|-|portable|child|-|-"),
        ("", "-|-|-|-|-|-"),
        ("...!?", "-|-|-|-|-|-"),
    ]);
}

#[test]
fn places_and_severities_find_their_finding() {
    check(&[
        (
            "severe bacterial pneumonia in the right lower lobe, portable",
            "severe bacterial pneumonia in the right lower lobe|-|portable|-|-|-",
        ),
        ("severe right lower lobe pneumonia", "severe pneumonia in the right lower lobe|-|-|-|-|-"),
        (
            "pneumonia, severe, right lower lobe",
            "severe pneumonia in the right lower lobe|-|-|-|-|-",
        ),
        ("a small left pleural effusion", "left effusion|-|-|-|-|small"),
        ("a left-sided effusion", "left effusion|-|-|-|-|-"),
        (
            "effusion on the left and pneumonia in the right lower lobe",
            "pneumonia in the right lower lobe + left effusion|-|-|-|-|-",
        ),
        (
            "on the left a moderate effusion, on the right a pneumothorax",
            "moderate left effusion + right pneumothorax|-|-|-|-|-",
        ),
        (
            "consolidation in the left upper lobe and in the right lower lobe",
            "consolidation in the right lower lobe + consolidation in the left upper lobe|-|-|-|-|-",
        ),
        (
            "pneumonia in a child in the right lower lobe",
            "pneumonia in the right lower lobe|-|-|child|-|-",
        ),
        // A range is neither; both words can be read.
        ("mild to moderate cardiomegaly", "cardiomegaly|-|-|-|-|mild to moderate"),
        // A border of the heart is no place of the pneumonia.
        (
            "pneumonia that obscures the left heart border",
            "pneumonia|-|-|-|-|obscures the left heart border",
        ),
        ("both pneumonia and effusion", "pneumonia + effusion|-|-|-|-|both"),
        ("pneumonia, right lateral view", "pneumonia|RL|-|-|-|-"),
        // What contradicts an earlier word stays where it can be read.
        ("mild edema, severe edema", "mild edema|-|-|-|-|severe edema"),
        ("edema. The edema is mild", "mild edema|-|-|-|-|-"),
        ("normal, on the left", "normal|-|-|-|-|left"),
    ]);
}

#[test]
fn what_is_denied_stays_in_the_text() {
    check(&[
        ("no pneumonia", "-|-|-|-|-|no pneumonia"),
        ("effusion without pneumothorax", "effusion|-|-|-|-|without pneumothorax"),
        ("without severe left effusion", "-|-|-|-|-|without severe left effusion"),
        ("no pneumonia or effusion, but an edema", "edema|-|-|-|-|no pneumonia or effusion, but"),
        (
            "no focal consolidation, pleural effusion, or pneumothorax",
            "-|-|-|-|-|no focal consolidation, pleural effusion, or pneumothorax",
        ),
        ("no pneumothorax, left effusion", "left effusion|-|-|-|-|no pneumothorax"),
        ("no effusion and pneumothorax", "-|-|-|-|-|no effusion and pneumothorax"),
        ("no effusion and a pneumothorax", "pneumothorax|-|-|-|-|no effusion"),
        ("no findings of pneumonia", "-|-|-|-|-|no findings of pneumonia"),
        (
            "No evidence of consolidation. Atelectasis.",
            "atelectasis|-|-|-|-|No evidence of consolidation",
        ),
        ("a child with no history of pneumonia", "-|-|-|child|-|no history of pneumonia"),
        ("I don't want to see any effusion", "-|-|-|-|-|don't want to see any effusion"),
        ("pneumothorax in a child, no effusion", "pneumothorax|-|-|child|-|no effusion"),
        ("no effusion in a child", "-|-|-|child|-|no effusion"),
        ("an adult, not a child", "-|-|-|adult|-|not a child"),
        ("edema; effusion and mass are absent", "edema|-|-|-|-|effusion and mass are absent"),
        ("pneumonia has been ruled out", "-|-|-|-|-|pneumonia has been ruled out"),
        ("not normal", "-|-|-|-|-|not normal"),
        ("non-specific consolidation", "consolidation|-|-|-|-|non-specific"),
    ]);
    for denial in DENIALS.iter().filter(|denial| **denial != "non") {
        let prompt = spoken(&format!("{denial} pneumonia"));
        assert!(prompt.findings.is_empty(), "{denial}: {prompt:?}");
    }
}

#[test]
fn what_is_not_sure_stays_in_the_text() {
    check(&[
        // Beside a finding, normal speaks of the heart.
        ("normal heart size, pneumothorax", "pneumothorax|-|-|-|-|normal heart size"),
        ("lateral view of a child", "-|-|-|child|-|lateral"),
        // The second of two contradictions can be read and corrected.
        ("a male child, female adult", "-|-|-|child|male|female adult"),
        // A duration is no age.
        ("pneumonia for two weeks", "pneumonia|-|-|-|-|two weeks"),
        ("a massive abnormality", "-|-|-|-|-|massive abnormality"),
        // A bracket that was spoken weighs nothing.
        ("pain (ribs) b", "-|-|-|-|-|pain \\(ribs\\) b"),
    ]);
}

#[test]
fn chinese_is_read_in_both_scripts() {
    check(&[
        ("请生成一张儿童细菌性肺炎的胸片，前后位。", "bacterial pneumonia|AP|-|child|-|-"),
        ("成年女性，胸腔積液，沒有氣胸", "effusion|-|-|adult|female|沒有氣胸"),
        ("5岁男孩，病毒性肺炎", "viral pneumonia|-|-|child|male|5岁"),
        ("六十七岁女性", "-|-|-|adult|female|六十七岁"),
        (
            "床旁胸片，右肺下叶重度肺炎，左侧胸腔积液",
            "severe pneumonia in the right lower lobe + left effusion|-|portable|-|-|-",
        ),
        ("肺炎位于左上葉", "pneumonia in the left upper lobe|-|-|-|-|-"),
        ("无气胸、胸腔积液", "-|-|-|-|-|无气胸、胸腔积液"),
        ("无气胸，胸腔积液", "effusion|-|-|-|-|无气胸"),
        ("无明显气胸及胸腔积液，有肺水肿", "edema|-|-|-|-|无明显气胸及胸腔积液"),
        ("未见明显异常", "normal|-|-|-|-|-"),
        ("肺炎已排除", "-|-|-|-|-|肺炎已排除"),
        ("轻到中度肺水肿", "edema|-|-|-|-|轻到中度"),
    ]);
}

#[test]
fn every_word_of_the_vocabulary_is_heard() {
    for finding in findings() {
        for word in finding.words() {
            let prompt = spoken(&format!("An image of {word}, please"));
            assert_eq!(prompt.findings, [DescribedFinding::from(finding.slug)], "{word}");
        }
    }
    for (word, slug) in SPOKEN_FINDINGS {
        assert_eq!(spoken(word).findings, [DescribedFinding::from(*slug)], "{word}");
    }
    let known = places().iter().flat_map(|place| place.words().map(|word| (word, place.slug)));
    for (word, slug) in known.filter(|(word, _)| *word != "both").chain(PLACES.iter().copied()) {
        for said in [format!("pneumonia in the {word}"), format!("{word} 肺炎")] {
            assert_eq!(spoken(&said).findings[0].place.as_deref(), Some(slug), "{said}");
        }
    }
    for (word, severity) in SEVERITIES {
        let prompt = spoken(&format!("{word} 肺炎"));
        let expected = severity.map(Severity::word);
        assert_eq!(prompt.findings[0].severity.as_deref(), expected, "{word}");
    }
    for (word, slug) in STYLES {
        assert_eq!(spoken(word).style.as_deref(), Some(*slug), "{word}");
    }
}

#[test]
fn words_that_are_expected_are_words_of_the_vocabulary() {
    let expected = expected_words();
    for finding in findings() {
        assert!(expected["en"].contains(finding.name), "{}", finding.name);
    }
    // Beside findings, normal is none.
    for words in expected.values() {
        assert!(spoken(words).findings.len() >= findings().len() - 1, "{words}");
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
        "十",
        "aged",
        "((((a:99) pneumonia [b:0.1",
        "left right bilateral severe",
    ] {
        let _ = read(said);
    }
    // Every order of what changes the meaning of its neighbours.
    let parts =
        ["no", "severe", "left", "edema", "in the", ",", "and", "normal", "不", "absent", "."];
    let mut said = String::new();
    for number in 0..parts.len().pow(3) {
        said.clear();
        for power in 0..3 {
            said.push_str(parts[number / parts.len().pow(power) % parts.len()]);
            said.push(' ');
        }
        assert!(spoken(&said).sentence().is_ok(), "{said}");
    }
    let long = "word ".repeat(2_000);
    assert!(spoken(&long).text.unwrap().chars().count() <= LONGEST_TEXT);
}
