//! Every path that the processor has, against sums in double precision.

use half::bf16;
use rand::{Rng, SeedableRng};

use crate::kernel::isa::PATHS;
use crate::kernel::panels::{Panels, Right, Turned};
use crate::kernel::product::{Matrix, Rows, product_on};
use crate::kernel::tile::Element;
use crate::kernel::view::written;
use crate::kernel::weight::{backward_panels, forward_panels};

fn numbers<E: Element>(count: usize, seed: u64) -> Vec<E> {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| E::from_single(random.random_range(-1.0..1.0))).collect()
}

fn product_of<E: Element>(
    isa: crate::kernel::isa::Isa,
    left: &impl Rows<E>,
    right: &impl Right<E>,
    columns: usize,
) -> Vec<f32> {
    // SAFETY: a product hands over every sum once.
    #[allow(unsafe_code)]
    unsafe {
        written(left.count() * columns, |out| {
            product_on(isa, left, right, &|row, column, sums: &[f32]| {
                out.put(row * columns + column, sums.iter().copied());
            });
        })
    }
}

fn check<E: Element>(rows: usize, columns: usize, depth: usize) {
    let (left, right) = (numbers::<E>(rows * depth, 1), numbers::<E>(columns * depth, 2));
    let panels = Panels::of_rows(&right, columns, depth);
    for column in 0..columns {
        for k in 0..depth {
            assert!(panels.get(column, k) == right[column * depth + k], "packed as it was");
        }
    }
    for isa in PATHS.into_iter().filter(|isa| isa.is_available()) {
        let found = product_of(isa, &Matrix::new(&left, depth), &panels, columns);
        for row in 0..rows {
            for column in 0..columns {
                let (a, b) = (&left[row * depth..], &right[column * depth..]);
                let terms = (0..depth).map(|k| f64::from(a[k].single()) * f64::from(b[k].single()));
                let expected: f64 = terms.sum();
                let error = (f64::from(found[row * columns + column]) - expected).abs();
                // Sums grow as the root of the depth, and so do the errors of rounding them.
                let bound = 6e-8 * depth as f64 + 1e-6;
                assert!(
                    error < bound,
                    "{} {rows} × {columns} × {depth} at {row}, {column}: off by {error}",
                    isa.name()
                );
            }
        }
    }
}

#[test]
fn products_are_right_on_every_path_at_every_edge() {
    for rows in [1, 7, 8, 9, 33] {
        for columns in [1, 15, 16, 17, 32, 47, 48, 49, 100] {
            check::<f32>(rows, columns, 5);
            check::<bf16>(rows, columns, 6);
        }
    }
    for depth in [1, 2, 63, 64, 65, 1664, 1665, 4001] {
        check::<f32>(9, 50, depth);
        check::<bf16>(9, 50, 2 * depth);
    }
}

/// Rows of two runs that lie apart.
struct Apart<'a, E>(&'a [E], usize);

impl<E: Element> Rows<E> for Apart<'_, E> {
    fn count(&self) -> usize {
        self.0.len() / self.1 - 3
    }

    fn runs(&self) -> usize {
        2
    }

    fn run(&self) -> usize {
        self.1
    }

    fn get(&self, row: usize, index: usize) -> &[E] {
        &self.0[(row + 3 * index) * self.1..]
    }
}

#[test]
fn runs_that_lie_apart_are_summed_together() {
    fn check<E: Element>(run: usize) {
        let values = numbers::<E>(20 * run, 1);
        let left = Apart(&values, run);
        let right = numbers::<E>(10 * 2 * run, 2);
        let panels = Panels::of_rows(&right, 10, 2 * run);
        for isa in PATHS.into_iter().filter(|isa| isa.is_available()) {
            let found = product_of(isa, &left, &panels, 10);
            for row in 0..left.count() {
                for column in 0..10 {
                    let term = |k: usize| {
                        let value = values[(row + 3 * (k / run)) * run + k % run].single();
                        f64::from(value) * f64::from(right[column * 2 * run + k].single())
                    };
                    let expected: f64 = (0..2 * run).map(term).sum();
                    let error = (f64::from(found[row * 10 + column]) - expected).abs();
                    let bound = 6e-8 * (2 * run) as f64 + 1e-6;
                    assert!(error < bound, "{} run {run}: off by {error}", isa.name());
                }
            }
        }
    }
    for run in [2, 40, 1000, 2000] {
        check::<f32>(run);
        check::<bf16>(run);
    }
}

#[test]
fn numbers_are_rounded_to_the_nearest() {
    let ours = |value: f32| <bf16 as Element>::from_single(value).to_bits();
    for value in
        [0.0f32, -0.0, 1.0, 1.003_906_3, 1.011_718_8, -3.3e38, 3.4e38, 1e-40, f32::INFINITY]
    {
        assert_eq!(ours(value), bf16::from_f32(value).to_bits(), "{value}");
    }
    assert!(bf16::from_bits(ours(f32::NAN)).is_nan());
    assert!(numbers::<bf16>(1000, 3).iter().all(|x| x.single().to_bits() == x.to_f32().to_bits()));
}

fn check_turned<E: Element>(input: usize, output: usize, taps: usize) {
    let weight = numbers::<E>(output * input * taps, 3);
    let dims = [output, input, taps];
    let (forward, expected) = (forward_panels(&weight, &dims), backward_panels(&weight, &dims));
    let turned = Turned::new(&forward, taps);
    let left = numbers::<E>(9 * taps * output, 4);
    let left = Matrix::new(&left, taps * output);
    for isa in PATHS.into_iter().filter(|isa| isa.is_available()) {
        let found = product_of(isa, &left, &turned, input);
        assert!(found == product_of(isa, &left, &expected, input), "{}", isa.name());
    }
}

#[test]
fn a_weight_is_turned_over_as_one_that_was_packed_so() {
    for (input, output) in [(1, 2), (16, 16), (17, 50), (50, 18), (96, 48), (100, 200)] {
        for taps in [1, 4, 9] {
            check_turned::<f32>(input, output, taps);
            check_turned::<bf16>(input, output, taps);
        }
    }
    check_turned::<f32>(20, 33, 9);
    check_turned::<f32>(7, 2000, 1);
}
