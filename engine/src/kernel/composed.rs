//! Products by candle's operations, for the devices and number types that no kernel of this room is for, with
//! gradients of our own.
//!
//! candle makes the gradient of a frozen weight as well, and keeps it; that of a convolution it makes by slow loops on
//! a GPU, and that of one that strides for square maps alone.

use std::sync::Mutex;

use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp2, Layout, Result, Shape, Storage, Tensor, bail,
};

use super::patches::Convolution;

/// A product of an input and a weight.
pub(super) trait Bilinear: Send + Sync + 'static {
    /// What it is called.
    const NAME: &'static str;

    /// The product, as numbers that lie in order.
    fn forward(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor>;

    /// The gradient of `x` for that of the product.
    fn for_input(&self, x: &Tensor, weight: &Tensor, gradient: &Tensor) -> Result<Tensor>;

    /// The gradient of `weight` for that of the product.
    fn for_weight(&self, x: &Tensor, weight: &Tensor, gradient: &Tensor) -> Result<Tensor>;
}

/// The product of `x` and `weight`, with the gradient of each that is not frozen.
pub(super) fn composed(product: impl Bilinear, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let answer = product.forward(&x.detach(), &weight.detach())?;
    if x.track_op() || weight.track_op() {
        x.apply_op2(weight, Answered { product, answer: Mutex::new(Some(answer)) })
    } else {
        Ok(answer)
    }
}

/// A product that was already made. candle's convolution cannot be called from inside of a custom operation, so the
/// operation is handed its answer, of which it gives a copy.
struct Answered<P> {
    product: P,
    /// Until it is given: the graph of a backward pass keeps this operation.
    answer: Mutex<Option<Tensor>>,
}

impl<P: Bilinear> Answered<P> {
    fn give<S>(&self, copy: impl FnOnce(&Storage, &Layout) -> Result<S>) -> Result<(S, Shape)> {
        let answer = self.answer.lock().ok().and_then(|mut answer| answer.take());
        let Some(answer) = answer else { bail!("{} was asked twice for one answer", P::NAME) };
        let (storage, layout) = answer.storage_and_layout();
        if !layout.is_contiguous() || layout.start_offset() != 0 {
            bail!("the numbers of {} do not lie in order", P::NAME);
        }
        Ok((copy(&storage, layout)?, layout.shape().clone()))
    }
}

impl<P: Bilinear> CustomOp2 for Answered<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn cpu_fwd(
        &self,
        _x: &CpuStorage,
        _x_layout: &Layout,
        _weight: &CpuStorage,
        _weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.give(|storage, layout| match storage {
            Storage::Cpu(storage) => storage.try_clone(layout),
            _ => bail!("{} of the CPU's numbers lies elsewhere", P::NAME),
        })
    }

    fn cuda_fwd(
        &self,
        _x: &CudaStorage,
        _x_layout: &Layout,
        _weight: &CudaStorage,
        _weight_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.give(|storage, layout| match storage {
            Storage::Cuda(storage) => storage.try_clone(layout),
            _ => bail!("{} of a GPU's numbers lies elsewhere", P::NAME),
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (for_x, for_weight) = (x.track_op(), weight.track_op());
        let (x, weight) = (x.detach(), weight.detach());
        Ok((
            for_x.then(|| self.product.for_input(&x, &weight, gradient)).transpose()?,
            for_weight.then(|| self.product.for_weight(&x, &weight, gradient)).transpose()?,
        ))
    }
}

/// `x` `[rows, in]` times `weight` `[out, in]`, to `[rows, out]`.
pub(super) struct Linear;

impl Bilinear for Linear {
    const NAME: &'static str = "linear";

    fn forward(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        x.matmul(&weight.t()?)
    }

    fn for_input(&self, _x: &Tensor, weight: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        gradient.matmul(weight)
    }

    fn for_weight(&self, x: &Tensor, _weight: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        gradient.t()?.matmul(x)
    }
}

/// The convolution of planes `x` `[batch, in, height, width]` with `weight` `[out, in, k, k]`, to
/// `[batch, out, height', width']`.
pub(super) struct Conv(pub(super) Convolution);

impl Conv {
    /// `gradient` with zeros between its pixels, as far apart as the answers are, and with the pixels behind the last
    /// that a kernel of `taps` went over in a map of `height` × `width`.
    fn spread(
        &self,
        gradient: &Tensor,
        [height, width]: [usize; 2],
        taps: usize,
    ) -> Result<Tensor> {
        let Convolution { stride, padding } = self.0;
        if stride == 1 {
            return gradient.contiguous();
        }
        let (batch, output, h, w) = gradient.dims4()?;
        gradient
            .reshape((batch, output, h, 1, w, 1))?
            .pad_with_zeros(3, 0, stride - 1)?
            .pad_with_zeros(5, 0, stride - 1)?
            .reshape((batch, output, h * stride, w * stride))?
            .narrow(2, 0, height + 2 * padding + 1 - taps)?
            .narrow(3, 0, width + 2 * padding + 1 - taps)?
            .contiguous()
    }
}

impl Bilinear for Conv {
    const NAME: &'static str = "conv2d";

    fn forward(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        x.conv2d(weight, self.0.padding, self.0.stride, 1, 1)
    }

    /// The convolution of the gradient with the kernel turned by half a turn.
    fn for_input(&self, x: &Tensor, weight: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let (output, input, taps, _) = weight.dims4()?;
        let back = Tensor::from_iter((0..(taps * taps) as u32).rev(), weight.device())?;
        let turned = weight
            .transpose(0, 1)?
            .contiguous()?
            .reshape((input, output, taps * taps))?
            .index_select(&back, 2)?
            .reshape((input, output, taps, taps))?;
        let gradient = self.spread(gradient, [height, width], taps)?;
        // Of zeros around the map that no tap reaches across, nothing comes back.
        let (around, beyond) =
            ((taps - 1).saturating_sub(self.0.padding), self.0.padding.saturating_sub(taps - 1));
        gradient
            .conv2d(&turned, around, 1, 1, 1)?
            .narrow(2, beyond, height)?
            .narrow(3, beyond, width)
    }

    /// For each tap of the kernel, the product of the gradient with the pixels that the tap saw.
    fn for_weight(&self, x: &Tensor, weight: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let Convolution { stride, padding } = self.0;
        let (batch, output, height, width) = gradient.dims4()?;
        let (_, input, taps, _) = weight.dims4()?;
        let x = x
            .permute((0, 2, 3, 1))?
            .pad_with_zeros(1, padding, padding)?
            .pad_with_zeros(2, padding, padding)?
            .contiguous()?;
        let gradient = gradient.transpose(0, 1)?.reshape((output, batch * height * width))?;
        let seen = |tap: usize, count: usize| {
            Tensor::from_iter((0..count).map(|place| (place * stride + tap) as u32), x.device())
        };
        let mut products = Vec::with_capacity(taps * taps);
        for down in 0..taps {
            let rows = x.index_select(&seen(down, height)?, 1)?;
            for right in 0..taps {
                let pixels = rows.index_select(&seen(right, width)?, 2)?;
                products.push(gradient.matmul(&pixels.reshape(((), input))?)?);
            }
        }
        Tensor::stack(&products, 2)?.reshape((output, input, taps, taps))
    }
}
