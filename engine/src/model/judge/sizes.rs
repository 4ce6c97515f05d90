//! What the sizes of every judge must keep to.

use crate::model::ModelError;

/// Sizes that a judge's encoder is built from.
pub(super) struct Sizes<'a> {
    pub(super) part: &'static str,
    pub(super) sample_size: usize,
    pub(super) patch_size: usize,
    pub(super) block_out_channels: &'a [usize],
    pub(super) layers_per_block: usize,
    pub(super) norm_num_groups: usize,
}

impl Sizes<'_> {
    /// Pixels to a side of one place of the coarsest map.
    pub(super) fn unit(&self) -> usize {
        self.patch_size << (self.block_out_channels.len() - 1)
    }

    /// # Errors
    /// Where no network can be built from them; the field is named.
    pub(super) fn validate(&self) -> Result<(), ModelError> {
        let check = |holds: bool, field, cause: &str| {
            if holds {
                return Ok(());
            }
            Err(ModelError::Config { part: self.part, field, cause: cause.to_owned() })
        };
        let channels = self.block_out_channels;
        check(
            (1..=6).contains(&channels.len()),
            "block_out_channels",
            "must have between 1 and 6 levels",
        )?;
        check(
            self.norm_num_groups > 0
                && channels
                    .iter()
                    .all(|c| (1..=4096).contains(c) && c.is_multiple_of(self.norm_num_groups)),
            "block_out_channels",
            "must be multiples of norm_num_groups, 4096 at most",
        )?;
        check(
            (1..=8).contains(&self.layers_per_block),
            "layers_per_block",
            "must lie between 1 and 8",
        )?;
        check((1..=32).contains(&self.patch_size), "patch_size", "must lie between 1 and 32")?;
        check(
            (1..=4096).contains(&self.sample_size) && self.sample_size.is_multiple_of(self.unit()),
            "sample_size",
            "must be at most 4096 and a multiple of patch_size · 2^(levels − 1)",
        )
    }
}
