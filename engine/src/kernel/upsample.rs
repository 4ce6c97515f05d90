//! Maps made larger.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::profile::timed;
use super::tile::Element;
use super::view::{answer, element, slice, tensor_like, with_element, with_slice, written};

/// The map `x` `[batch, h, w, channels]` in `height` × `width`, each pixel that of `x` which lies there.
///
/// # Errors
/// Where the map is no map, or has no pixels.
pub fn upsample_nearest(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (_, own_height, own_width, _) = x.dims4()?;
    if own_height == 0 || own_width == 0 || height < own_height || width < own_width {
        bail!("a map of {:?} is not made larger to {height} × {width}", x.dims());
    }
    if element(&[x]).is_some() && x.elem_count() > 0 {
        return x.contiguous()?.apply_op1(Upsample { height, width });
    }
    // candle's own has a gradient for whole factors alone, and that overwrites what else flows back into `x`.
    let sources = |own: usize, of: usize| {
        let sources = Upsample::sources(own, of).into_iter().map(|source| source as u32);
        Tensor::from_iter(sources, x.device())
    };
    let rows = x.contiguous()?.index_select(&sources(own_height, height)?, 1)?;
    rows.index_select(&sources(own_width, width)?, 2)
}

struct Upsample {
    height: usize,
    width: usize,
}

impl Upsample {
    /// For each row of pixels `of` a larger map, the row that it repeats.
    fn sources(own: usize, of: usize) -> Vec<usize> {
        (0..of).map(|place| place * own / of).collect()
    }
}

impl CustomOp1 for Upsample {
    fn name(&self) -> &'static str {
        "upsample_nearest"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        timed("upsample_nearest", || {
            let (batch, own_height, own_width, channels) = layout.shape().dims4()?;
            let rows = Self::sources(own_height, self.height);
            let columns = Self::sources(own_width, self.width);
            with_element!(storage.dtype(), E => {
                let x = slice::<E>(storage, layout)?;
                let row = self.width * channels;
                // SAFETY: every row of pixels is written by one task.
                #[allow(unsafe_code)]
                let out = unsafe {
                    written(batch * self.height * row, |out| {
                        (0..batch * self.height).into_par_iter().for_each(|index| {
                            let source = index / self.height * own_height + rows[index % self.height];
                            let source = &x[source * own_width * channels..];
                            let out = out.part(index * row, row);
                            for (out, column) in out.chunks_exact_mut(channels).zip(&columns) {
                                out.copy_from_slice(&source[column * channels..(column + 1) * channels]);
                            }
                        });
                    })
                };
                Ok(answer(out, (batch, self.height, self.width, channels)))
            })
        })
    }

    fn bwd(&self, x: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        timed("upsample_nearest backward", || {
            let (_, own_height, own_width, channels) = x.dims4()?;
            let rows = Self::sources(own_height, self.height);
            let columns = Self::sources(own_width, self.width);
            with_element!(x.dtype(), E => {
                let values = with_slice::<E, _>(gradient, |gradient| {
                    let mut out = vec![E::default(); x.elem_count()];
                    let row = self.width * channels;
                    out.par_chunks_mut(own_width * channels).enumerate().for_each(|(index, out)| {
                        let mut sums = vec![0f32; own_width * channels];
                        let repeats = (0..self.height).filter(|y| rows[*y] == index % own_height);
                        for y in repeats {
                            let start = (index / own_height * self.height + y) * row;
                            let pixels = gradient[start..start + row].chunks_exact(channels);
                            for (pixel, column) in pixels.zip(&columns) {
                                let sums = &mut sums[column * channels..(column + 1) * channels];
                                for (sum, value) in sums.iter_mut().zip(pixel) {
                                    *sum += value.single();
                                }
                            }
                        }
                        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = E::from_single(sum));
                    });
                    Ok(out)
                })?;
                Ok(Some(tensor_like(values, x)?))
            })
        })
    }
}
