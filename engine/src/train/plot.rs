//! The losses of a run as a picture, which a page of any colour can show.

use plotters::coord::Shift;
use plotters::prelude::*;

/// Size of the picture.
const SIZE: (u32, u32) = (800, 400);
/// Points of a curve, at most: more than the picture has columns, and a file that stays small.
const MOST_POINTS: usize = 1_000;
/// Grey, blue and orange that stand out from white and from black (a contrast of 3.9 at the least).
const INK: RGBColor = RGBColor(118, 118, 118);
const TRAINING: RGBColor = RGBColor(59, 130, 196);
const HELD_OUT: RGBColor = RGBColor(200, 112, 24);

/// Draws the loss of each step and the one on held-out patients, `(step, loss)`, as SVG.
///
/// # Errors
/// Where the picture cannot be drawn.
pub(super) fn losses(steps: &[(f64, f32)], held_out: &[(f64, f32)]) -> Result<String, String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&root, &thinned(steps), &thinned(held_out)).map_err(|cause| cause.to_string())?;
        root.present().map_err(|cause| cause.to_string())?;
    }
    Ok(svg)
}

/// Means of neighbours, where there are more points than a picture shows.
fn thinned(points: &[(f64, f32)]) -> Vec<(f64, f64)> {
    let each = points.len().div_ceil(MOST_POINTS).max(1);
    let mean = |part: &[(f64, f32)]| {
        let count = part.len() as f64;
        let sum =
            part.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + f64::from(point.1)));
        (sum.0 / count, sum.1 / count)
    };
    points.chunks(each).map(mean).collect()
}

fn draw<'a>(
    root: &DrawingArea<SVGBackend<'a>, Shift>,
    steps: &[(f64, f64)],
    held_out: &[(f64, f64)],
) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>> {
    let all = || steps.iter().chain(held_out);
    let last = all().map(|point| point.0).fold(1.0, f64::max);
    let highest = all().map(|point| point.1).fold(0.0, f64::max);
    let highest = if highest > 0.0 { 1.05 * highest } else { 1.0 };
    let text = ("sans-serif", 13).into_font().color(&INK);
    let mut chart = ChartBuilder::on(root)
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..last, 0.0..highest)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(INK.mix(0.25))
        .axis_style(INK)
        .label_style(text.clone())
        .axis_desc_style(text.clone())
        .x_desc("step")
        .y_desc("loss")
        .x_label_formatter(&|step| format!("{step:.0}"))
        .draw()?;
    for (points, colour, name) in [(steps, TRAINING, "training"), (held_out, HELD_OUT, "held out")]
    {
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart.configure_series_labels().label_font(text).border_style(TRANSPARENT).draw()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_picture_holds_both_curves_and_its_words() {
        let steps: Vec<(f64, f32)> =
            (1..=5000).map(|step| (f64::from(step), 1.0 / step as f32)).collect();
        let svg = losses(&steps, &[(0.0, 1.0), (2500.0, 0.5), (5000.0, 0.25)]).unwrap();
        for word in ["<svg", "training", "held out", "step", "loss", "#3B82C4", "#C87018"] {
            assert!(svg.contains(word), "{word}: {}", &svg[..svg.len().min(2000)]);
        }
        // No background, which would be white on a dark page, and nothing that is black or white.
        for colour in ["#FFFFFF", "#000000"] {
            assert!(!svg.contains(&format!("opacity=\"1\" fill=\"{colour}\"")), "{colour}");
        }
        assert!(svg.len() < 100_000, "{}", svg.len());
        assert!(losses(&[], &[]).unwrap().contains("<svg"));
        assert_eq!(thinned(&[(1.0, 2.0), (2.0, 4.0)]), [(1.0, 2.0), (2.0, 4.0)]);
        assert_eq!(thinned(&steps).len(), 1000);
        assert!((thinned(&steps)[999].0 - 4998.0).abs() < 1e-9);
    }
}
