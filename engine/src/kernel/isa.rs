//! Which instructions a kernel may use.

use std::sync::OnceLock;

/// Instruction sets with a path of their own, from the narrowest to the widest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Isa {
    /// What every processor has.
    Portable,
    /// AVX2 with FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX-512 with products of bytes (VNNI).
    Avx512Vnni,
    /// The same with products of bf16.
    Avx512Bf16,
}

/// Every path, from the narrowest to the widest.
pub(super) const PATHS: [Isa; 5] =
    [Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Avx512Vnni, Isa::Avx512Bf16];

/// The environment variable that masks what the processor has: the name of the widest path to take.
const MASK: &str = "SKIAGRAPH_ISA";

impl Isa {
    /// The name of the path.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Vnni => "avx512-vnni",
            Self::Avx512Bf16 => "avx512-bf16",
        }
    }

    /// The widest path that the processor can take, or a narrower one where `SKIAGRAPH_ISA` asks for it.
    pub(super) fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| {
            let mask = std::env::var(MASK).unwrap_or_default();
            let widest = PATHS.into_iter().find(|path| path.name() == mask);
            if !mask.is_empty() && widest.is_none() {
                let names = PATHS.map(Self::name).join(", ");
                tracing::warn!("SKIAGRAPH_ISA names no path ({names}); the widest is taken");
            }
            Self::detected().min(widest.unwrap_or(Self::Avx512Bf16))
        })
    }

    /// Whether the processor can take the path.
    pub(super) fn is_available(self) -> bool {
        self <= Self::detected()
    }

    #[cfg(target_arch = "x86_64")]
    fn detected() -> Self {
        use std::arch::is_x86_feature_detected as has;
        if !(has!("avx2") && has!("fma")) {
            return Self::Portable;
        }
        if !(has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl")) {
            return Self::Avx2;
        }
        // No processor has products of bf16 and none of bytes.
        match (has!("avx512vnni"), has!("avx512bf16")) {
            (false, _) => Self::Avx512,
            (true, false) => Self::Avx512Vnni,
            (true, true) => Self::Avx512Bf16,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn detected() -> Self {
        Self::Portable
    }
}
