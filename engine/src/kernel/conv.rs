//! Two-dimensional convolution as a matrix product over unrolled patches.
//!
//! Images are taken in groups so that the product is wide enough to be efficient on the small maps
//! of a latent UNet, and groups run side by side. The gradients use the same unrolling: the
//! weight's is `gradient × patchesᵀ`, the input's is `weightᵀ × gradient` rolled back.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::gemm::{Matrix, product};
use super::view::{answer, on_cpu, slice, tensor_like, with_slice};

/// Columns of patches that one matrix product takes at least, where the batch has them.
const GROUP_COLUMNS: usize = 1024;

/// Convolution of `x` `[batch, in, height, width]` with `weight` `[out, in, k, k]` and `bias`
/// `[out]` to `[batch, out, height', width']`.
///
/// # Errors
/// Where the shapes do not fit together.
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    let out_channels = weight.dim(0)?;
    if on_cpu(&[x, weight]) {
        let zero;
        let bias = if let Some(bias) = bias {
            bias
        } else {
            zero = Tensor::zeros(out_channels, x.dtype(), x.device())?;
            &zero
        };
        return x.contiguous()?.apply_op3(
            &weight.contiguous()?,
            &bias.contiguous()?,
            Conv2d { stride, padding },
        );
    }
    let y = x.conv2d(weight, padding, stride, 1, 1)?;
    match bias {
        Some(bias) => y.broadcast_add(&bias.reshape((1, out_channels, 1, 1))?),
        None => Ok(y),
    }
}

struct Conv2d {
    stride: usize,
    padding: usize,
}

/// The sizes of one convolution.
#[derive(Clone, Copy)]
struct Geometry {
    batch: usize,
    in_channels: usize,
    height: usize,
    width: usize,
    out_channels: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    out_height: usize,
    out_width: usize,
}

impl Geometry {
    fn new(op: &Conv2d, x: &Shape, weight: &Shape) -> Result<Self> {
        let (batch, in_channels, height, width) = x.dims4()?;
        let (out_channels, weight_channels, kernel, kernel_width) = weight.dims4()?;
        if weight_channels != in_channels || kernel != kernel_width {
            bail!("a convolution of {weight:?} does not fit an input of {x:?}");
        }
        let (padded_height, padded_width) = (height + 2 * op.padding, width + 2 * op.padding);
        if padded_height < kernel || padded_width < kernel {
            bail!("an input of {x:?} is smaller than the convolution's kernel of {kernel}");
        }
        Ok(Self {
            batch,
            in_channels,
            height,
            width,
            out_channels,
            kernel,
            stride: op.stride,
            padding: op.padding,
            out_height: (padded_height - kernel) / op.stride + 1,
            out_width: (padded_width - kernel) / op.stride + 1,
        })
    }

    fn patch(&self) -> usize {
        self.in_channels * self.kernel * self.kernel
    }

    fn out_pixels(&self) -> usize {
        self.out_height * self.out_width
    }

    fn image(&self) -> usize {
        self.in_channels * self.height * self.width
    }

    fn out_image(&self) -> usize {
        self.out_channels * self.out_pixels()
    }

    /// Images a group holds: enough columns for an efficient product, and a group for every thread.
    fn group(&self) -> usize {
        let wide_enough = GROUP_COLUMNS.div_ceil(self.out_pixels());
        let for_every_thread = self.batch.div_ceil(rayon::current_num_threads());
        wide_enough.min(for_every_thread).max(1)
    }

    /// Calls `segment(patch offset, column, image offset, length)` for each run of pixels that lies
    /// in the image: `length` columns from `column` on correspond to pixels `stride` apart.
    fn for_each_segment(&self, mut segment: impl FnMut(usize, usize, usize, usize)) {
        let (pad, stride) = (self.padding as isize, self.stride as isize);
        for channel in 0..self.in_channels {
            for ky in 0..self.kernel {
                for kx in 0..self.kernel {
                    let row = (channel * self.kernel + ky) * self.kernel + kx;
                    let shift = kx as isize - pad;
                    // The columns whose pixel `x * stride + shift` lies in the row.
                    let first = if shift < 0 { (-shift + stride - 1) / stride } else { 0 };
                    let last = (self.width as isize - 1 - shift).div_euclid(stride);
                    let last = last.min(self.out_width as isize - 1);
                    if last < first {
                        continue;
                    }
                    for y in 0..self.out_height {
                        let source = (y * self.stride + ky) as isize - pad;
                        if source < 0 || source >= self.height as isize {
                            continue;
                        }
                        let pixel = (channel * self.height + source as usize) * self.width
                            + (first * stride + shift) as usize;
                        segment(
                            row,
                            y * self.out_width + first as usize,
                            pixel,
                            (last - first + 1) as usize,
                        );
                    }
                }
            }
        }
    }

    /// Unrolls `images` into `patches` `[in × k × k, images × pixels]`.
    fn unroll(&self, images: &[f32], patches: &mut Vec<f32>) {
        let count = images.len() / self.image();
        let columns = count * self.out_pixels();
        patches.clear();
        patches.resize(self.patch() * columns, 0.0);
        for (index, image) in images.chunks_exact(self.image()).enumerate() {
            let base = index * self.out_pixels();
            self.for_each_segment(|row, column, pixel, length| {
                let start = row * columns + base + column;
                let target = &mut patches[start..start + length];
                if self.stride == 1 {
                    target.copy_from_slice(&image[pixel..pixel + length]);
                } else {
                    for (value, source) in
                        target.iter_mut().zip(image[pixel..].iter().step_by(self.stride))
                    {
                        *value = *source;
                    }
                }
            });
        }
    }

    /// Adds `patches` back to the pixels that they were unrolled from.
    fn roll(&self, patches: &[f32], images: &mut [f32]) {
        let columns = images.len() / self.image() * self.out_pixels();
        for (index, image) in images.chunks_exact_mut(self.image()).enumerate() {
            let base = index * self.out_pixels();
            self.for_each_segment(|row, column, pixel, length| {
                let start = row * columns + base + column;
                let source = &patches[start..start + length];
                if self.stride == 1 {
                    for (value, patch) in image[pixel..pixel + length].iter_mut().zip(source) {
                        *value += patch;
                    }
                } else {
                    for (value, patch) in image[pixel..].iter_mut().step_by(self.stride).zip(source)
                    {
                        *value += patch;
                    }
                }
            });
        }
    }

    /// A 1 × 1 convolution of stride 1 reads its input as it lies.
    fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == 0
    }

    /// Reorders `[images, channels, pixels]` to `[channels, images × pixels]`.
    fn gather(&self, images: &[f32], channels: usize, gathered: &mut Vec<f32>) {
        let pixels = self.out_pixels();
        let count = images.len() / (channels * pixels);
        gathered.clear();
        gathered.reserve(images.len());
        for channel in 0..channels {
            for image in 0..count {
                let start = (image * channels + channel) * pixels;
                gathered.extend_from_slice(&images[start..start + pixels]);
            }
        }
    }

    /// The inverse of [`Self::gather`].
    fn scatter(&self, gathered: &[f32], channels: usize, images: &mut [f32]) {
        let pixels = self.out_pixels();
        let count = images.len() / (channels * pixels);
        for channel in 0..channels {
            for image in 0..count {
                let start = (image * channels + channel) * pixels;
                let source = (channel * count + image) * pixels;
                images[start..start + pixels].copy_from_slice(&gathered[source..source + pixels]);
            }
        }
    }

    fn patches_of(&self, images: &[f32], patches: &mut Vec<f32>) {
        if self.is_pointwise() {
            self.gather(images, self.in_channels, patches);
        } else {
            self.unroll(images, patches);
        }
    }

    fn forward(&self, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        let mut out = vec![0f32; self.batch * self.out_image()];
        let group = self.group();
        let alone = self.batch <= group;
        out.par_chunks_mut(group * self.out_image())
            .zip(x.par_chunks(group * self.image()))
            .for_each_init(
                || (Vec::new(), Vec::new()),
                |(patches, rows), (out, images)| {
                    self.patches_of(images, patches);
                    let columns = images.len() / self.image() * self.out_pixels();
                    rows.clear();
                    for value in bias {
                        rows.resize(rows.len() + columns, *value);
                    }
                    product(
                        rows,
                        Matrix::new(weight, self.out_channels, self.patch()),
                        Matrix::new(patches, self.patch(), columns),
                        true,
                        alone,
                    );
                    self.scatter(rows, self.out_channels, out);
                },
            );
        out
    }

    /// Gradients of the input and of the weight, as far as they are asked for.
    fn backward(
        &self,
        x: &[f32],
        weight: &[f32],
        gradient: &[f32],
        want_input: bool,
        want_weight: bool,
    ) -> (Vec<f32>, Vec<f32>) {
        let group = self.group();
        let alone = self.batch <= group;
        let mut input_gradient = vec![0f32; if want_input { x.len() } else { 0 }];
        let groups = self.batch.div_ceil(group);
        // One share of the groups for each thread, so that only as many weight gradients are summed.
        let share = groups.div_ceil(rayon::current_num_threads()) * group;
        let mut input_shares: Vec<&mut [f32]> = if want_input {
            input_gradient.chunks_mut(share * self.image()).collect()
        } else {
            (0..self.batch.div_ceil(share)).map(|_| Default::default()).collect()
        };
        let weight_shares: Vec<Vec<f32>> = input_shares
            .par_iter_mut()
            .enumerate()
            .map(|(index, input_share)| {
                let mut weight_gradient = vec![0f32; if want_weight { weight.len() } else { 0 }];
                let (mut patches, mut rows, mut columns_gradient) =
                    (Vec::new(), Vec::new(), Vec::new());
                let first = index * share;
                let last = (first + share).min(self.batch);
                let mut start = first;
                while start < last {
                    let end = (start + group).min(last);
                    let count = (end - start) * self.out_pixels();
                    self.gather(
                        &gradient[start * self.out_image()..end * self.out_image()],
                        self.out_channels,
                        &mut rows,
                    );
                    let rows = Matrix::new(&rows, self.out_channels, count);
                    if want_weight {
                        self.patches_of(&x[start * self.image()..end * self.image()], &mut patches);
                        product(
                            &mut weight_gradient,
                            rows,
                            Matrix::new(&patches, self.patch(), count).transposed(),
                            true,
                            alone,
                        );
                    }
                    if want_input {
                        columns_gradient.resize(self.patch() * count, 0.0);
                        product(
                            &mut columns_gradient,
                            Matrix::new(weight, self.out_channels, self.patch()).transposed(),
                            rows,
                            false,
                            alone,
                        );
                        let target = &mut input_share
                            [(start - first) * self.image()..(end - first) * self.image()];
                        if self.is_pointwise() {
                            self.scatter(&columns_gradient, self.in_channels, target);
                        } else {
                            self.roll(&columns_gradient, target);
                        }
                    }
                    start = end;
                }
                weight_gradient
            })
            .collect();
        let mut shares = weight_shares.into_iter();
        let mut weight_gradient = shares.next().unwrap_or_default();
        for share in shares {
            for (total, value) in weight_gradient.iter_mut().zip(share) {
                *total += value;
            }
        }
        (input_gradient, weight_gradient)
    }

    fn bias_gradient(&self, gradient: &[f32]) -> Vec<f32> {
        let mut total = vec![0f32; self.out_channels];
        for (index, plane) in gradient.chunks_exact(self.out_pixels()).enumerate() {
            total[index % self.out_channels] += plane.iter().sum::<f32>();
        }
        total
    }
}

impl CustomOp3 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let geometry = Geometry::new(self, x_layout.shape(), weight_layout.shape())?;
        let bias = slice(bias, bias_layout)?;
        if bias.len() != geometry.out_channels {
            bail!("a bias of {} does not fit {} channels", bias.len(), geometry.out_channels);
        }
        let out = geometry.forward(slice(x, x_layout)?, slice(weight, weight_layout)?, bias);
        Ok(answer(
            out,
            (geometry.batch, geometry.out_channels, geometry.out_height, geometry.out_width),
        ))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let geometry = Geometry::new(self, x.shape(), weight.shape())?;
        // A frozen weight's gradient is half of the work: it is only made where somebody waits for it.
        let (want_input, want_weight) = (x.track_op(), weight.track_op());
        let (input_gradient, weight_gradient) = with_slice(x, |x| {
            with_slice(weight, |weight| {
                with_slice(gradient, |gradient| {
                    Ok(geometry.backward(x, weight, gradient, want_input, want_weight))
                })
            })
        })?;
        let bias_gradient = if bias.track_op() {
            let values = with_slice(gradient, |gradient| Ok(geometry.bias_gradient(gradient)))?;
            Some(tensor_like(values, bias)?)
        } else {
            None
        };
        Ok((
            want_input.then(|| tensor_like(input_gradient, x)).transpose()?,
            want_weight.then(|| tensor_like(weight_gradient, weight)).transpose()?,
            bias_gradient,
        ))
    }
}
