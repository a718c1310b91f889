//! Compiles a piece of code for the vector units that the machine has.

/// Runs `work`, compiled for AVX-512 or for AVX2 and FMA where the processor has them.
///
/// `work` and what it calls must be `#[inline(always)]`: code that stays a function of its own is compiled for any
/// processor of the architecture.
#[inline]
pub(crate) fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
        fn widest<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        #[target_feature(enable = "avx2,fma")]
        fn wide<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("fma")
        {
            // SAFETY: the processor has the features that `widest` is compiled for.
            return unsafe { widest(work) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has the features that `wide` is compiled for.
            return unsafe { wide(work) };
        }
    }
    work()
}
