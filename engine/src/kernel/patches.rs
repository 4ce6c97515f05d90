//! The pixels that lie under the kernel of a convolution.

use candle_core::{Result, bail};

use super::int8::Places;
use super::product::Rows;
use super::tile::Element;
use super::weight_gradient::Run;
use super::winograd::Tiling;

/// Where nothing lies under a tap.
const OUTSIDE: u32 = u32::MAX;
/// Channels below which patches are copied out: a run would be shorter than what it costs to begin one.
const NARROW: usize = 16;

/// What a convolution does with its map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// Pixels from one answer to the next.
    pub stride: usize,
    /// Zeros around the map.
    pub padding: usize,
}

/// The sizes of one convolution, over maps `[batch, height, width, channels]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    pub(super) batch: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) input: usize,
    pub(super) output: usize,
    pub(super) kernel: usize,
    pub(super) out_height: usize,
    pub(super) out_width: usize,
    stride: usize,
    padding: usize,
}

impl Geometry {
    pub(super) fn new(convolution: Convolution, map: &[usize], weight: &[usize]) -> Result<Self> {
        let ([batch, height, width, input], [output, channels, kernel, across]) = (map, weight)
        else {
            bail!("a convolution takes maps [batch, height, width, channels], not {map:?}")
        };
        if input != channels || kernel != across || *kernel == 0 {
            bail!("a convolution of {weight:?} does not fit an input of {map:?}");
        }
        let Convolution { stride, padding } = convolution;
        if stride == 0 || (*height).min(*width) + 2 * padding < *kernel {
            bail!("an input of {map:?} is smaller than the convolution's kernel of {kernel}");
        }
        let out = |side: usize| (side + 2 * padding - kernel) / stride + 1;
        Ok(Self {
            batch: *batch,
            height: *height,
            width: *width,
            input: *input,
            output: *output,
            kernel: *kernel,
            out_height: out(*height),
            out_width: out(*width),
            stride,
            padding,
        })
    }

    /// Pixels of all maps.
    pub(super) fn pixels(&self) -> usize {
        self.batch * self.height * self.width
    }

    /// A kernel of one pixel that goes over every pixel: the map is read as it lies.
    pub(super) fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == 0
    }

    /// The convolution in tiles, where its kernel can be cut so.
    pub(super) fn tiling(&self) -> Option<Tiling> {
        let tiling = Tiling {
            batch: self.batch,
            height: self.height,
            width: self.width,
            channels: self.input,
            out_height: self.out_height,
            out_width: self.out_width,
            padding: self.padding,
        };
        (self.kernel == 3 && self.stride == 1).then_some(tiling)
    }

    /// The gradient of the map in tiles: it is a convolution of the answer's, with the kernel turned by half a turn.
    pub(super) fn tiling_back(&self) -> Option<Tiling> {
        let tiling = Tiling {
            batch: self.batch,
            height: self.out_height,
            width: self.out_width,
            channels: self.output,
            out_height: self.height,
            out_width: self.width,
            padding: (self.kernel - 1).checked_sub(self.padding)?,
        };
        (self.kernel == 3 && self.stride == 1).then_some(tiling)
    }

    pub(super) fn out_dims(&self) -> [usize; 4] {
        [self.batch, self.out_height, self.out_width, self.output]
    }

    /// The patches of the map `x`, one for each answer.
    pub(super) fn patches<'a, E: Element>(&self, x: &'a [E]) -> Patches<'a, E> {
        let source = |out: usize, tap: usize, side: usize| {
            let place = (out * self.stride + tap).checked_sub(self.padding);
            place.filter(|place| *place < side)
        };
        Patches::new(
            x,
            [self.batch, self.height, self.width, self.input],
            self.kernel,
            self.axis(self.out_height, |out, tap| source(out, tap, self.height)),
            self.axis(self.out_width, |out, tap| source(out, tap, self.width)),
        )
    }

    /// The patches of the answer's `gradient` that belong to each pixel of the map, under the kernel turned by
    /// half a turn.
    pub(super) fn patches_back<'a, E: Element>(&self, gradient: &'a [E]) -> Patches<'a, E> {
        let source = |place: usize, tap: usize, side: usize| {
            let shifted = (place + self.padding).checked_sub(self.kernel - 1 - tap)?;
            let out = shifted / self.stride;
            (shifted.is_multiple_of(self.stride) && out < side).then_some(out)
        };
        Patches::new(
            gradient,
            self.out_dims(),
            self.kernel,
            self.axis(self.height, |place, tap| source(place, tap, self.out_height)),
            self.axis(self.width, |place, tap| source(place, tap, self.out_width)),
        )
    }

    /// Pixels from the input of one answer to that of the next in a row.
    pub(super) fn pixel_stride(&self) -> usize {
        self.stride
    }

    /// The answers that see a pixel of the map under `tap`, row by row, and the pixels that they see.
    pub(super) fn runs(&self, tap: usize) -> Vec<Run> {
        let (down, right) = (tap / self.kernel, tap % self.kernel);
        // The first answer, and the first behind the last, whose tap lies inside `side`.
        let inside = |tap: usize, outs: usize, side: usize| {
            let first = self.padding.saturating_sub(tap).div_ceil(self.stride);
            let last = (side + self.padding).saturating_sub(tap).div_ceil(self.stride);
            first..last.min(outs)
        };
        let columns = inside(right, self.out_width, self.width);
        let rows = inside(down, self.out_height, self.height);
        let mut runs = Vec::with_capacity(self.batch * rows.len());
        if columns.is_empty() {
            return runs;
        }
        let source = |out: usize, tap: usize| out * self.stride + tap - self.padding;
        for image in 0..self.batch {
            for row in rows.clone() {
                let pixels = (image * self.height + source(row, down)) * self.width;
                runs.push(Run {
                    answer: (image * self.out_height + row) * self.out_width + columns.start,
                    input: (pixels + source(columns.start, right)) * self.input,
                    length: columns.len(),
                });
            }
        }
        runs
    }

    /// For each place along an axis and each tap, where the tap reads.
    fn axis(&self, places: usize, source: impl Fn(usize, usize) -> Option<usize>) -> Vec<u32> {
        (0..places)
            .flat_map(|place| (0..self.kernel).map(move |tap| (place, tap)))
            .map(|(place, tap)| source(place, tap).map_or(OUTSIDE, |source| source as u32))
            .collect()
    }
}

/// Patches of a map as the rows of a product: a run for each tap of the kernel, of the pixel's channels.
pub(super) struct Patches<'a, E> {
    map: &'a [E],
    height: usize,
    width: usize,
    channels: usize,
    kernel: usize,
    vertical: Vec<u32>,
    horizontal: Vec<u32>,
    /// Image, row and column of each patch.
    places: Vec<[u32; 3]>,
    nothing: Vec<E>,
}

impl<'a, E: Element> Patches<'a, E> {
    fn new(
        map: &'a [E],
        [batch, height, width, channels]: [usize; 4],
        kernel: usize,
        vertical: Vec<u32>,
        horizontal: Vec<u32>,
    ) -> Self {
        let (rows, columns) = (vertical.len() / kernel, horizontal.len() / kernel);
        let mut places = Vec::with_capacity(batch * rows * columns);
        for image in 0..batch as u32 {
            for row in 0..rows as u32 {
                places.extend((0..columns as u32).map(|column| [image, row, column]));
            }
        }
        let nothing = vec![E::default(); channels];
        Self { map, height, width, channels, kernel, vertical, horizontal, places, nothing }
    }

    /// Whether the patches should be copied out before a product.
    pub(super) fn is_narrow(&self) -> bool {
        self.channels < NARROW || !self.channels.is_multiple_of(E::PER_STEP)
    }

    /// The patches copied out, one behind the other, each with zeros behind it to whole steps; and how long one
    /// is then.
    pub(super) fn copied(&self) -> (Vec<E>, usize) {
        let length = (self.runs() * self.channels).next_multiple_of(E::PER_STEP);
        let mut out = vec![E::default(); self.count() * length];
        for (row, out) in out.chunks_exact_mut(length).enumerate() {
            for (tap, out) in out.chunks_exact_mut(self.channels).take(self.runs()).enumerate() {
                out.copy_from_slice(&self.get(row, tap)[..self.channels]);
            }
        }
        (out, length)
    }
}

impl<E: Element> Rows<E> for Patches<'_, E> {
    fn count(&self) -> usize {
        self.places.len()
    }

    fn runs(&self) -> usize {
        self.kernel * self.kernel
    }

    fn run(&self) -> usize {
        self.channels
    }

    fn get(&self, row: usize, index: usize) -> &[E] {
        match self.source(row, index) {
            Some(pixel) => &self.map[pixel * self.channels..],
            None => &self.nothing,
        }
    }
}

impl<E: Element> Places for Patches<'_, E> {
    fn answers(&self) -> usize {
        self.places.len()
    }

    fn source(&self, row: usize, tap: usize) -> Option<usize> {
        let [image, row, column] = self.places[row].map(|place| place as usize);
        let y = self.vertical[row * self.kernel + tap / self.kernel];
        let x = self.horizontal[column * self.kernel + tap % self.kernel];
        let inside = y != OUTSIDE && x != OUTSIDE;
        inside.then(|| (image * self.height + y as usize) * self.width + x as usize)
    }
}
