//! What becomes of memory that was given back to the allocator.

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

/// mimalloc's `mi_option_purge_delay`, which its bindings do not name: milliseconds after which memory that nobody asked
/// for again goes back to the system.
const PURGE_DELAY: mi_option_t = 15;

/// Keeps what was given back for a minute, as tensors come and go in the same sizes step after step: the system clears
/// each page anew that it lends, which takes a fifth of a training step. To be called before a program, whose allocator
/// is mimalloc, starts its threads. `MIMALLOC_PURGE_DELAY` in the environment counts more.
pub fn keep_memory() {
    // SAFETY: the option is one of mimalloc's, a plain number that no other thread sets.
    #[allow(unsafe_code)]
    unsafe {
        mi_option_set_default(PURGE_DELAY, 60_000);
    }
}
