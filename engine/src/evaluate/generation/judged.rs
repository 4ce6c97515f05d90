//! Whether the judge sees in an image what was asked for.

use crate::data::Sample;
use crate::evaluate::classifier::{areas, truths};
use crate::evaluate::{EvaluateError, Figures};
use crate::metric;
use crate::model::Label;
use crate::terms::AgeGroup;

/// How well a judge must part real radiographs by a finding before images are asked for it.
pub(super) const LEAST_AREA: f64 = 0.9;
/// Held-out radiographs with and without a finding that this needs to be known.
pub(super) const LEAST_RADIOGRAPHS: usize = 20;

/// A judge's verdicts: a label is seen where its logit lies above the label's threshold, which parts held-out
/// radiographs best (Youden's index).
pub(super) struct Verdicts {
    labels: Vec<Label>,
    /// Of each label; none where the held-out radiographs know no two sides of it.
    thresholds: Vec<Option<f32>>,
    /// Places of the findings that are asked for.
    asked: Vec<usize>,
}

impl Verdicts {
    /// From the judge's `logits` of held-out radiographs. `findings` are asked for; where there are none, those
    /// that the judge tells apart there: with an area under the curve of [`LEAST_AREA`] or more, over
    /// [`LEAST_RADIOGRAPHS`] or more of either side.
    ///
    /// # Errors
    /// Where the judge does not know a finding that is to be asked for, or tells none apart.
    pub(super) fn new(
        labels: Vec<Label>,
        held_out: &[&Sample],
        logits: &[Vec<f32>],
        findings: &[String],
    ) -> Result<Self, EvaluateError> {
        let known: Vec<_> = held_out.iter().map(|sample| truths(&labels, sample)).collect();
        let mut thresholds = Vec::new();
        let mut told_apart = Vec::new();
        let areas = areas(&labels, &known, logits)?;
        for (column, label) in labels.iter().enumerate() {
            let sides = known.iter().zip(logits);
            let sides = sides.filter_map(|(known, logits)| Some((logits[column], known[column]?)));
            let (scores, positive): (Vec<f32>, Vec<bool>) = sides.unzip();
            let threshold = if scores.is_empty() {
                None
            } else {
                metric::youden_threshold(&scores, &positive)?
            };
            let positives = positive.iter().filter(|positive| **positive).count();
            let fewest = positives.min(positive.len() - positives);
            let area = areas.get(&format!("auroc_{label}")).copied().unwrap_or_default();
            let is_finding = matches!(label, Label::Finding(_));
            if is_finding && area >= LEAST_AREA && fewest >= LEAST_RADIOGRAPHS {
                told_apart.push(column);
            }
            thresholds.push(threshold);
        }
        let asked = if findings.is_empty() { told_apart } else { columns(&labels, findings)? };
        if asked.is_empty() {
            let cause = "the judge tells no finding apart on the held-out radiographs: name what is to be \
                         asked for";
            return Err(EvaluateError::option("finding", cause));
        }
        if asked.iter().any(|column| thresholds[*column].is_none()) {
            let cause = "the held-out radiographs do not show one both present and absent";
            return Err(EvaluateError::option("finding", cause));
        }
        Ok(Self { labels, thresholds, asked })
    }

    /// The findings that are asked for.
    pub(super) fn findings(&self) -> Vec<String> {
        self.asked.iter().map(|column| self.labels[*column].to_string()).collect()
    }

    /// What the judge sees of a label; none where there is no threshold.
    fn sees(&self, column: usize, logits: &[f32]) -> Option<bool> {
        Some(*logits.get(column)? > self.thresholds[column]?)
    }

    /// Whether every finding that is asked for and that `sample` shows is seen; none where it shows none of them.
    fn recognised(&self, sample: &Sample, logits: &[f32]) -> Option<bool> {
        let shown = self.known(sample);
        let mut wanted =
            self.asked.iter().filter(|column| shown[**column] == Some(true)).peekable();
        wanted.peek()?;
        Some(wanted.all(|column| self.sees(*column, logits) == Some(true)))
    }

    /// The areas under the curves of all labels, each name after `prefix`, of images of which the n-th should show
    /// what the n-th of `samples` shows.
    ///
    /// # Errors
    /// Where a logit is NaN.
    pub(super) fn areas(
        &self,
        prefix: &str,
        samples: &[&Sample],
        logits: &[Vec<f32>],
    ) -> Result<Figures, EvaluateError> {
        let known: Vec<_> = samples.iter().map(|sample| self.known(sample)).collect();
        let areas = areas(&self.labels, &known, logits)?;
        Ok(areas.into_iter().map(|(name, area)| (format!("{prefix}{name}"), area)).collect())
    }

    fn known(&self, sample: &Sample) -> Vec<Option<bool>> {
        truths(&self.labels, sample)
    }

    /// Figures of images of which the n-th should show what the n-th of `samples` shows, each name after `prefix`:
    /// `recognised`, the share of images in which every finding is seen that was asked for; `recognised_<finding>`,
    /// the share of those that should show it in which it is seen, of all ages and of each;
    /// `agreement_<label>` of age group, sex and view, the share in which the judge sees what was asked for.
    pub(super) fn figures(
        &self,
        prefix: &str,
        samples: &[&Sample],
        logits: &[Vec<f32>],
    ) -> Figures {
        let mut figures = Figures::new();
        let mut note = |name: String, seen: &mut dyn Iterator<Item = bool>| {
            let (mut yes, mut all) = (0u32, 0u32);
            for seen in seen {
                yes += u32::from(seen);
                all += 1;
            }
            if all > 0 {
                figures.insert(format!("{prefix}{name}"), f64::from(yes) / f64::from(all));
            }
        };
        let each = || samples.iter().zip(logits);
        let recognised = |(sample, logits): (&&Sample, &Vec<f32>)| self.recognised(sample, logits);
        note("recognised".into(), &mut each().filter_map(recognised));
        for (column, label) in self.labels.iter().enumerate() {
            let seen = |sample: &Sample, logits: &[f32]| {
                Some((self.known(sample)[column]?, self.sees(column, logits)?))
            };
            match label {
                Label::Finding(slug) => {
                    if !self.asked.contains(&column) {
                        continue;
                    }
                    for age in [None, Some(AgeGroup::Child), Some(AgeGroup::Adult)] {
                        let mut of_age = each()
                            .filter(|(sample, _)| age.is_none() || sample.age_group == age)
                            .filter_map(|(sample, logits)| seen(sample, logits))
                            .filter_map(|(shown, seen)| shown.then_some(seen));
                        let end = age.map(|age| format!("_{}", age.word())).unwrap_or_default();
                        note(format!("recognised_{slug}{end}"), &mut of_age);
                    }
                }
                Label::Adult | Label::Female | Label::View(_) => {
                    let mut agree = each()
                        .filter_map(|(sample, logits)| seen(sample, logits))
                        .map(|(shown, seen)| shown == seen);
                    note(format!("agreement_{label}"), &mut agree);
                }
            }
        }
        figures
    }
}

/// Places of `findings` among the labels.
fn columns(labels: &[Label], findings: &[String]) -> Result<Vec<usize>, EvaluateError> {
    let place = |slug: &String| {
        let same = |label: &Label| matches!(label, Label::Finding(other) if other == slug);
        labels.iter().position(same).ok_or_else(|| {
            EvaluateError::option(
                "finding",
                "must be slugs of findings that the judge is asked for",
            )
        })
    };
    findings.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::Split;

    fn sample(findings: &[&str], age_group: AgeGroup) -> Sample {
        Sample {
            id: "00".into(),
            caption: String::new(),
            split: Split::Validation,
            patient: "p".into(),
            findings: findings.iter().map(|slug| (*slug).to_owned()).collect(),
            age_group: Some(age_group),
            age_years: None,
            sex: None,
            view_position: None,
            width: 1,
            height: 1,
            synthetic: false,
            sha256: String::new(),
            mask_sha256: None,
        }
    }

    fn labels() -> Vec<Label> {
        let findings = ["normal", "pneumonia"].map(|slug| Label::Finding(slug.into()));
        findings.into_iter().chain([Label::Adult]).collect()
    }

    #[test]
    fn a_finding_is_seen_above_the_threshold_of_real_radiographs() {
        let (child, adult) = (AgeGroup::Child, AgeGroup::Adult);
        let ill = sample(&["bacterial_pneumonia"], child);
        let well = sample(&["normal"], adult);
        // Normal is parted at 1, pneumonia at −1, adults at 0.
        let held_out = [(&ill, [0.0, 0.0, -3.0]), (&well, [2.0, -2.0, 3.0])];
        let (samples, logits): (Vec<&Sample>, Vec<Vec<f32>>) =
            held_out.map(|(sample, logits)| (sample, logits.to_vec())).into_iter().unzip();
        let findings = ["normal", "pneumonia"].map(str::to_owned);
        let verdicts = Verdicts::new(labels(), &samples, &logits, &findings).unwrap();
        assert_eq!(verdicts.findings(), findings);
        let figures = verdicts.figures("", &samples, &logits);
        assert!(figures.values().all(|share| (*share - 1.0).abs() < 1e-12), "{figures:?}");
        // Of two children who should be ill one is seen to be, and taken for an adult; a well adult is not seen
        // to be well.
        let asked = [&ill, &ill, &well];
        let seen = [vec![0.0, -0.9, 0.5], vec![0.0, -1.1, -0.5], vec![0.9, -5.0, 0.1]];
        let figures = verdicts.figures("x_", &asked, &seen);
        let third = 1.0 / 3.0;
        let expected = [
            ("x_agreement_adult", 2.0 * third),
            ("x_recognised", third),
            ("x_recognised_normal", 0.0),
            ("x_recognised_normal_adult", 0.0),
            ("x_recognised_pneumonia", 0.5),
            ("x_recognised_pneumonia_child", 0.5),
        ];
        assert_eq!(figures.len(), expected.len(), "{figures:?}");
        for (name, share) in expected {
            assert!((figures[name] - share).abs() < 1e-12, "{name}: {figures:?}");
        }
    }

    #[test]
    fn what_the_judge_cannot_tell_apart_is_not_asked_for() {
        let (ill, well) =
            (sample(&["pneumonia"], AgeGroup::Child), sample(&["normal"], AgeGroup::Child));
        let samples: Vec<&Sample> =
            (0..2 * LEAST_RADIOGRAPHS).map(|n| if n % 2 == 0 { &ill } else { &well }).collect();
        // It knows pneumonia, and says of everything that it is normal alike.
        let logits: Vec<Vec<f32>> = samples
            .iter()
            .enumerate()
            .map(|(n, _)| vec![(n / 2) as f32, if n % 2 == 0 { 1.0 } else { -1.0 }, 0.0])
            .collect();
        let verdicts = |samples: &[&Sample], findings: &[&str]| {
            let findings: Vec<String> = findings.iter().map(|slug| (*slug).to_owned()).collect();
            Verdicts::new(labels(), samples, &logits[..samples.len()], &findings)
                .map(|verdicts| verdicts.findings())
                .map_err(|error| error.to_string())
        };
        assert_eq!(verdicts(&samples, &[]).unwrap(), ["pneumonia"]);
        assert_eq!(verdicts(&samples[2..], &[]).unwrap_err().split(':').next(), Some("finding"));
        assert!(verdicts(&samples[2..], &["pneumonia"]).is_ok());
        assert!(verdicts(&samples, &["hernia"]).unwrap_err().contains("finding"));
    }
}
