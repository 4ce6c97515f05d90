//! One source for every instruction set: the body is compiled for AVX-512, for AVX2 with FMA and
//! for the baseline, and the widest that the processor has is chosen at run time.

/// Defines a function whose body is compiled once for each instruction set.
macro_rules! dispatch {
    ($(#[$meta:meta])* $vis:vis fn $name:ident$(<$element:ident>)?($($argument:ident: $type:ty),* $(,)?) $(-> $answer:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name$(<$element: $crate::kernel::tile::Element>)?($($argument: $type),*) $(-> $answer)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments, clippy::inline_always)]
            fn body$(<$element: $crate::kernel::tile::Element>)?($($argument: $type),*) $(-> $answer)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn wide$(<$element: $crate::kernel::tile::Element>)?($($argument: $type),*) $(-> $answer)? { body($($argument),*) }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn medium$(<$element: $crate::kernel::tile::Element>)?($($argument: $type),*) $(-> $answer)? { body($($argument),*) }

                let path = $crate::kernel::isa::Isa::best();
                if path >= $crate::kernel::isa::Isa::Avx512 {
                    // SAFETY: the processor was asked, and has every feature that `wide` needs.
                    #[allow(unsafe_code)]
                    return unsafe { wide($($argument),*) };
                }
                if path == $crate::kernel::isa::Isa::Avx2 {
                    // SAFETY: as above, for `medium`.
                    #[allow(unsafe_code)]
                    return unsafe { medium($($argument),*) };
                }
            }
            body($($argument),*)
        }
    };
}
pub(super) use dispatch;

/// `e^x` to a relative error below 2e-7 between -87 and 88, in a form that compilers vectorise
/// (Cody and Waite's reduction, Cephes' polynomial).
#[inline(always)]
#[allow(clippy::inline_always, clippy::excessive_precision)]
pub(super) fn exp(x: f32) -> f32 {
    // Adding 1.5 × 2^23 rounds to the nearest whole number without a branch, and leaves it in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = x - whole * 0.693_359_375 + whole * 2.121_944_4e-4;
    let mut series = 1.987_569_15e-4;
    series = series * rest + 1.398_199_950_7e-3;
    series = series * rest + 8.333_451_907_3e-3;
    series = series * rest + 4.166_579_589_4e-2;
    series = series * rest + 1.666_666_545_9e-1;
    series = series * rest + 5.000_000_120_1e-1;
    let value = series * rest * rest + rest + 1.0;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    power * value
}

/// `2^x` to a relative error below 2e-7 up to 127, in a form that compilers vectorise; `2^-126` below that.
///
/// Half the work of [`exp`]: what is left of a whole power is exact, and five terms suffice for it (coefficients by
/// Remez' exchange for the relative error on -1/2 … 1/2, with 1 at 0).
#[inline(always)]
#[allow(clippy::inline_always, clippy::excessive_precision)]
pub(super) fn exp2(x: f32) -> f32 {
    // As in `exp`.
    const ROUND: f32 = 12_582_912.0;
    // NaN stays one.
    let x = if x < -126.0 { -126.0 } else { x };
    let shifted = x + ROUND;
    let rest = x - (shifted - ROUND);
    let mut series = 1.326_472_7e-3;
    series = series * rest + 9.671_513e-3;
    series = series * rest + 5.550_733_6e-2;
    series = series * rest + 0.240_222_42;
    series = series * rest + 0.693_147_004;
    series = series * rest + 1.0;
    // The whole power goes into the exponent.
    f32::from_bits(series.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
#[allow(clippy::inline_always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The error function to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
#[allow(clippy::inline_always)]
pub(super) fn erf(x: f32) -> f32 {
    let magnitude = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * magnitude);
    let series = ((((1.061_405_4 * t - 1.453_152_1) * t + 1.421_413_8) * t - 0.284_496_72) * t
        + 0.254_829_6)
        * t;
    (1.0 - series * exp(-magnitude * magnitude)).copysign(x)
}

/// Σ of `term(i)` for `i` in `0..length`, in 16 lanes.
#[inline(always)]
#[allow(clippy::inline_always)]
pub(super) fn sum(length: usize, term: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0f32; 16];
    let whole = length / 16 * 16;
    let mut start = 0;
    while start < whole {
        for (lane, total) in lanes.iter_mut().enumerate() {
            *total += term(start + lane);
        }
        start += 16;
    }
    let mut total: f32 = lanes.iter().sum();
    for index in whole..length {
        total += term(index);
    }
    total
}
