//! Keys of a configuration that change numbers and that the engine does not know.
//!
//! A network that is built as if such a key were not there would load, and would not be the original: it
//! is refused by name.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::ModelError;

/// Keys of a configuration that are not fields of the engine's own.
pub(super) type Rest = BTreeMap<String, Value>;

/// Whether two JSON values say the same: `1` and `1.0` do, and `silu` and `swish`.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::String(one), Value::String(other)) => {
            let plain =
                |word: &str| if word == "swish" { "silu".to_owned() } else { word.to_owned() };
            plain(one) == plain(other)
        }
        // The same for every level.
        (Value::Array(all), other) if !other.is_array() => all.iter().all(|one| same(one, other)),
        (one, other) => one == other,
    }
}

/// # Errors
/// Where a key of `rest` that is among `neutral` has another value than the one at which it changes
/// nothing.
pub(super) fn check(
    part: &'static str,
    rest: &Rest,
    neutral: &[(&'static str, Value)],
) -> Result<(), ModelError> {
    for (field, nothing) in neutral {
        let Some(value) = rest.get(*field) else { continue };
        if !value.is_null() && !same(value, nothing) {
            let mut said = value.to_string();
            said.truncate(said.char_indices().nth(60).map_or(said.len(), |(end, _)| end));
            let cause = format!("is {said}, which the engine cannot do yet; it knows {nothing}");
            return Err(ModelError::Config { part, field, cause });
        }
    }
    Ok(())
}

/// What diffusers' `UNet2DConditionModel` and `ControlNetModel` may ask for beyond what the engine does.
pub(super) fn unet() -> Vec<(&'static str, Value)> {
    vec![
        ("act_fn", json!("silu")),
        ("attention_type", json!("default")),
        ("class_embeddings_concat", json!(false)),
        ("downsample_padding", json!(1)),
        ("dual_cross_attention", json!(false)),
        ("mid_block_scale_factor", json!(1)),
        ("time_embedding_act_fn", Value::Null),
        ("time_embedding_type", json!("positional")),
        ("timestep_post_act", Value::Null),
    ]
}

/// What diffusers' `AutoencoderKL` may ask for beyond what the engine does.
pub(super) fn vae() -> Vec<(&'static str, Value)> {
    vec![
        ("act_fn", json!("silu")),
        ("down_block_types", json!("DownEncoderBlock2D")),
        ("up_block_types", json!("UpDecoderBlock2D")),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_that_changes_numbers_is_refused_and_one_that_changes_none_is_not() {
        let with = |key: &str, value: Value| {
            check("unet", &Rest::from([(key.to_owned(), value)]), &unet())
        };
        for (key, value) in [
            ("act_fn", json!("swish")),
            ("mid_block_scale_factor", json!(1.0)),
            ("dual_cross_attention", json!([false, false])),
            ("time_embedding_act_fn", Value::Null),
            ("_diffusers_version", json!("9")),
        ] {
            assert!(with(key, value).is_ok(), "{key}");
        }
        for (key, value) in [
            ("act_fn", json!("gelu")),
            ("mid_block_scale_factor", json!(2)),
            ("dual_cross_attention", json!([false, true])),
            ("time_embedding_type", json!("fourier")),
        ] {
            assert!(with(key, value).unwrap_err().to_string().contains(key), "{key}");
        }
    }
}
