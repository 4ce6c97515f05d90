//! Matrix products: rows on the left, panels on the right, tile by tile.

use std::ops::Range;

use rayon::prelude::*;

use super::isa::Isa;
use super::panels::{Line, Right};
use super::tile::{Element, LANES, ROWS, Tile, run_single};

/// The left side of a product. A row is made of runs that lie apart: the pixels under a convolution's kernel,
/// say. Behind each other they are as long as the right side is deep.
pub(super) trait Rows<E>: Sync {
    /// Rows.
    fn count(&self) -> usize;

    /// Runs of a row.
    fn runs(&self) -> usize {
        1
    }

    /// Numbers of a run; whole steps.
    fn run(&self) -> usize;

    /// The run `index` of `row`: at least [`Self::run`] numbers.
    fn get(&self, row: usize, index: usize) -> &[E];
}

/// The rows of a matrix that fills its slice.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, E> {
    values: &'a [E],
    columns: usize,
}

impl<'a, E> Matrix<'a, E> {
    pub(super) fn new(values: &'a [E], columns: usize) -> Self {
        Self { values, columns }
    }
}

impl<E: Sync> Rows<E> for Matrix<'_, E> {
    fn count(&self) -> usize {
        self.values.len().checked_div(self.columns).unwrap_or(0)
    }

    fn run(&self) -> usize {
        self.columns
    }

    fn get(&self, row: usize, _index: usize) -> &[E] {
        &self.values[row * self.columns..]
    }
}

/// Steps of a panel that are taken at a time: 320 KB, which stay in a core's own cache while rows go by.
const DEEPEST: usize = 1664;
/// Rows that one task takes at most.
const TALLEST: usize = 768;

/// Some steps of every row: of runs `runs`, the steps `from..to` of each.
struct Block {
    runs: Range<usize>,
    from: usize,
    to: usize,
    /// The panel's step that it begins with.
    first: usize,
}

fn blocks(runs: usize, steps: usize) -> Vec<Block> {
    if steps > DEEPEST {
        let pieces = steps.div_ceil(DEEPEST);
        let each = steps.div_ceil(pieces);
        return (0..runs)
            .flat_map(|run| {
                (0..pieces).map(move |piece| {
                    let (from, to) = (piece * each, ((piece + 1) * each).min(steps));
                    Block { runs: run..run + 1, from, to, first: run * steps + from }
                })
            })
            .collect();
    }
    let blocks = (runs * steps).div_ceil(DEEPEST).max(1);
    let each = runs.div_ceil(blocks);
    (0..runs)
        .step_by(each)
        .map(|run| Block {
            runs: run..(run + each).min(runs),
            from: 0,
            to: steps,
            first: run * steps,
        })
        .collect()
}

/// `left × right`: `store(row, column, sums)` gets up to 48 sums of a row, those from `column` on, each once.
pub(super) fn product<E: Element>(
    left: &impl Rows<E>,
    right: &impl Right<E>,
    store: &(impl Fn(usize, usize, &[f32]) + Sync),
) {
    product_on(Isa::best(), left, right, store);
}

/// As [`product`], by the path of `isa`.
pub(super) fn product_on<E: Element>(
    isa: Isa,
    left: &impl Rows<E>,
    right: &impl Right<E>,
    store: &(impl Fn(usize, usize, &[f32]) + Sync),
) {
    assert!(isa.is_available(), "the processor has no {}", isa.name());
    let (rows, runs, run) = (left.count(), left.runs(), left.run());
    assert!(
        run.is_multiple_of(E::PER_STEP) && runs * run / E::PER_STEP == right.steps(),
        "the matrices do not fit together"
    );
    if rows == 0 || right.columns() == 0 {
        return;
    }
    let blocks = blocks(runs, run / E::PER_STEP);
    let panels = right.count();
    // Enough tasks for every thread, each with rows enough to be worth the panel that it loads.
    let wanted = (rows * panels).div_ceil(4 * rayon::current_num_threads());
    let tall = wanted.next_multiple_of(ROWS).clamp(4 * ROWS, TALLEST);
    (0..rows.div_ceil(tall) * panels).into_par_iter().with_max_len(1).for_each_init(
        Scratch::default,
        |scratch, task| {
            let (chunk, panel) = (task / panels, task % panels);
            let (first, last) = (chunk * tall, ((chunk + 1) * tall).min(rows));
            scratch.tiles.clear();
            scratch.tiles.resize((last - first).div_ceil(ROWS), Tile::ZERO);
            for block in &blocks {
                if block.from < block.to {
                    add(isa, left, first..last, right, panel, block, scratch);
                }
            }
            let columns = right.columns_of(panel);
            for (tile, row) in scratch.tiles.iter().zip((first..last).step_by(ROWS)) {
                for (row, sums) in (row..last).zip(&tile.0) {
                    store(row, columns.start, &sums[..columns.len()]);
                }
            }
        },
    );
}

/// What a task keeps between products.
#[derive(Default)]
struct Scratch {
    /// One for every eight rows.
    tiles: Vec<Tile>,
    /// A block of the panel where it does not lie in memory as it is multiplied, and of eight rows in single precision, for
    /// paths without products of bf16.
    panel: Vec<Line>,
    rows: Vec<f32>,
}

/// Adds a block of `rows` to their tiles.
fn add<E: Element>(
    isa: Isa,
    left: &impl Rows<E>,
    rows: Range<usize>,
    right: &impl Right<E>,
    panel: usize,
    block: &Block,
    scratch: &mut Scratch,
) {
    let vectors = right.vectors(panel);
    let steps = block.to - block.from;
    let (from, length) = (block.from * E::PER_STEP, steps * E::PER_STEP);
    let range = block.first..block.first + steps * block.runs.len();
    let lines = range.len() * vectors;
    let native = E::run(isa);
    let (run, steps, lines) = match (native, right.lines(panel, range.clone())) {
        (Some(run), Some(lines)) => (run, steps, lines),
        (Some(run), None) => {
            scratch.panel.resize(lines, Line::ZERO);
            right.write(panel, range, &mut scratch.panel);
            (run, steps, &scratch.panel[..])
        }
        (None, _) => {
            scratch.panel.resize(E::PER_STEP * lines, Line::ZERO);
            right.write_single(panel, range, Line::numbers_mut(&mut scratch.panel));
            (run_single(isa), length, &scratch.panel[..])
        }
    };
    for (tile, row) in scratch.tiles.iter_mut().zip(rows.clone().step_by(ROWS)) {
        let runs = block.runs.clone().zip(lines.chunks_exact(steps * vectors));
        for (index, lines) in runs {
            // What a row too many computes is thrown away: it is the last row once more.
            let cut: [&[E]; ROWS] = std::array::from_fn(|offset| {
                let row = (row + offset).min(rows.end - 1);
                &left.get(row, index)[from..from + length]
            });
            let pointers: [*const u32; ROWS] = if native.is_some() {
                cut.map(|row| row.as_ptr().cast())
            } else {
                scratch.rows.resize(ROWS * length, 0.0);
                spread_rows(cut, &mut scratch.rows);
                std::array::from_fn(|row| scratch.rows[row * length..].as_ptr().cast())
            };
            // SAFETY: each row was cut to as many steps as the lines hold; the path is available.
            #[allow(unsafe_code)]
            unsafe {
                run(&pointers, steps, lines.as_ptr().cast(), 64 * vectors, vectors, tile);
            }
        }
    }
}

/// Adds to `tile` the products of eight rows, a slice each of whole steps, with as many steps of a panel, by
/// the widest path. The numbers must be of a type that the path multiplies.
pub(super) fn accumulate<E: Element>(
    rows: [&[E]; ROWS],
    lines: &[Line],
    vectors: usize,
    tile: &mut Tile,
) {
    assert!((1..=3).contains(&vectors), "a tile is one to three vectors wide");
    let (steps, stride) = (lines.len() / vectors, vectors * LANES * E::PER_STEP);
    accumulate_rows(rows, Line::numbers(lines), steps, stride, vectors, tile);
}

/// As [`accumulate`], with the right side as it lies: `steps` steps of `right`, each `stride` numbers behind the last.
pub(super) fn accumulate_rows<E: Element>(
    rows: [&[E]; ROWS],
    right: &[E],
    steps: usize,
    stride: usize,
    vectors: usize,
    tile: &mut Tile,
) {
    let (Some(run), 1..) = (E::run(Isa::best()), steps) else { return };
    let width = vectors * LANES * E::PER_STEP;
    assert!(rows.iter().all(|row| row.len() >= steps * E::PER_STEP), "a row is too short");
    assert!((1..=3).contains(&vectors), "a tile is one to three vectors wide");
    assert!(right.len() >= (steps - 1) * stride + width, "the right side is too short");
    // SAFETY: both sides were just seen to hold every step; the best path is available.
    #[allow(unsafe_code)]
    unsafe {
        let (rows, right) = (rows.map(|row| row.as_ptr().cast()), right.as_ptr().cast());
        run(&rows, steps, right, size_of::<E>() * stride, vectors, tile);
    }
}

/// Writes rows out in single precision, one behind the other.
fn spread_rows<E: Element>(rows: [&[E]; ROWS], out: &mut [f32]) {
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(rows[0].len().max(1))) {
        E::spread(row, out);
    }
}
