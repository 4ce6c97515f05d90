//! What a program that computes asks of its allocator and of candle's threads.

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

/// mimalloc's `mi_option_purge_delay`, which its bindings do not name: milliseconds after which memory that nobody asked
/// for again goes back to the system.
const PURGE_DELAY: mi_option_t = 15;

/// How often a thread of candle's looks for work before it sleeps.
const SPINS: &str = "CANDLE_BARRIER_POOL_SPIN_LIMIT";

/// Prepares a program whose allocator is mimalloc; to be called first of all, before it has a second thread. What its
/// environment says (`MIMALLOC_PURGE_DELAY`, `CANDLE_BARRIER_POOL_SPIN_LIMIT`) counts more.
///
/// Memory that was given back is kept for a minute, as tensors come and go in the same sizes step after step: the system
/// clears each page anew that it lends, which takes a fifth of a training step. And the threads on which candle adds
/// gradients sleep as soon as they have none: by themselves they go on looking for half a millisecond, on the cores that
/// the kernels then want.
pub fn prepare_process() {
    // SAFETY: the option is one of mimalloc's, a plain number that no other thread sets; and while there is one thread,
    // nobody else reads the environment.
    #[allow(unsafe_code)]
    unsafe {
        mi_option_set_default(PURGE_DELAY, 60_000);
        if std::env::var_os(SPINS).is_none() {
            std::env::set_var(SPINS, "50");
        }
    }
}
