//! Names and shapes of latent diffusion's checkpoints; whole files live in `tests/golden`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::*;

fn recognised(names: &[(&str, &[usize])]) -> Result<SingleFile, String> {
    let shapes = names.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec()));
    SingleFile::recognise(shapes.collect(), BTreeMap::new())
}

#[test]
fn a_unets_blocks_are_counted_as_diffusers_counts_them() {
    for (ldm, layers, today) in [
        ("time_embed.2.bias", 2, Some("time_embedding.linear_2.bias")),
        ("label_emb.0.0.weight", 2, Some("add_embedding.linear_1.weight")),
        ("input_blocks.0.0.weight", 2, Some("conv_in.weight")),
        ("input_blocks.1.0.in_layers.0.bias", 2, Some("down_blocks.0.resnets.0.norm1.bias")),
        (
            "input_blocks.2.1.transformer_blocks.0.attn1.to_q.weight",
            2,
            Some("down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q.weight"),
        ),
        ("input_blocks.3.0.op.weight", 2, Some("down_blocks.0.downsamplers.0.conv.weight")),
        (
            "input_blocks.4.0.skip_connection.bias",
            2,
            Some("down_blocks.1.resnets.0.conv_shortcut.bias"),
        ),
        ("middle_block.2.out_layers.3.bias", 2, Some("mid_block.resnets.1.conv2.bias")),
        ("output_blocks.2.1.conv.bias", 2, Some("up_blocks.0.upsamplers.0.conv.bias")),
        ("output_blocks.5.2.conv.bias", 2, Some("up_blocks.1.upsamplers.0.conv.bias")),
        ("output_blocks.5.1.norm.bias", 2, Some("up_blocks.1.attentions.2.norm.bias")),
        (
            "output_blocks.3.0.emb_layers.1.bias",
            1,
            Some("up_blocks.1.resnets.1.time_emb_proj.bias"),
        ),
        ("out.2.bias", 2, Some("conv_out.bias")),
        ("input_blocks.1.3.strange", 2, None),
        ("input_blocks.x.0.weight", 2, None),
        ("input_blocks.99999999999999999999.0.weight", 2, None),
    ] {
        assert_eq!(names::unet(ldm, layers).as_deref(), today, "{ldm}");
    }
}

#[test]
fn a_controlnets_condition_is_embedded_by_every_second_number() {
    let name = |name| names::controlnet(name, 2, 14);
    let of = |place: &str| Some(format!("controlnet_cond_embedding.{place}.bias"));
    assert_eq!(name("input_hint_block.0.bias"), of("conv_in"));
    assert_eq!(name("input_hint_block.4.bias"), of("blocks.1"));
    assert_eq!(name("input_hint_block.14.bias"), of("conv_out"));
    assert_eq!(name("zero_convs.11.0.bias").as_deref(), Some("controlnet_down_blocks.11.bias"));
    assert_eq!(name("middle_block_out.0.bias").as_deref(), Some("controlnet_mid_block.bias"));
    assert_eq!(name("time_embed.0.bias").as_deref(), Some("time_embedding.linear_1.bias"));
}

#[test]
fn an_autoencoders_way_up_is_counted_from_the_other_end() {
    let name = |name| names::vae(name, 4);
    let whole = |name: &str| Some((name.to_owned(), Cut::Whole));
    assert_eq!(
        name("encoder.down.1.block.0.nin_shortcut.bias"),
        whole("encoder.down_blocks.1.resnets.0.conv_shortcut.bias")
    );
    assert_eq!(
        name("encoder.down.2.downsample.conv.bias"),
        whole("encoder.down_blocks.2.downsamplers.0.conv.bias")
    );
    assert_eq!(
        name("decoder.up.3.upsample.conv.bias"),
        whole("decoder.up_blocks.0.upsamplers.0.conv.bias")
    );
    assert_eq!(
        name("decoder.up.0.block.2.conv1.bias"),
        whole("decoder.up_blocks.3.resnets.2.conv1.bias")
    );
    assert_eq!(name("decoder.up.4.block.2.conv1.bias"), None);
    assert_eq!(
        name("decoder.mid.attn_1.proj_out.weight"),
        Some(("decoder.mid_block.attentions.0.to_out.0.weight".into(), Cut::Flat))
    );
    assert_eq!(
        name("decoder.mid.attn_1.norm.weight"),
        whole("decoder.mid_block.attentions.0.group_norm.weight")
    );
    assert_eq!(name("encoder.norm_out.bias"), whole("encoder.conv_norm_out.bias"));
    assert_eq!(name("quant_conv.bias"), whole("quant_conv.bias"));
}

#[test]
fn what_open_clip_fused_is_three_weights() {
    let names = names::open_clip("transformer.resblocks.7.attn.in_proj_bias");
    let expected = ["q", "k", "v"].iter().enumerate().map(|(index, letter)| {
        let name = format!("text_model.encoder.layers.7.self_attn.{letter}_proj.bias");
        (name, Cut::Piece { index, of: 3 })
    });
    assert!(names.into_iter().eq(expected));
    assert_eq!(
        names::open_clip("text_projection"),
        [("text_projection.weight".to_owned(), Cut::Transposed)]
    );
    assert_eq!(
        names::open_clip("transformer.resblocks.7.mlp.c_proj.weight"),
        [("text_model.encoder.layers.7.mlp.fc2.weight".to_owned(), Cut::Whole)]
    );
    assert!(names::open_clip("transformer.resblocks.7.strange.weight").is_empty());
}

#[test]
fn what_is_no_model_says_so() {
    let error = |names: &[(&str, &[usize])]| recognised(names).err().unwrap();
    assert!(error(&[]).contains("no network"));
    assert!(error(&[("lora_unet_down_blocks_0.lora_up.weight", &[4, 4])]).contains("no network"));
    let refiner = "conditioner.embedders.0.model.positional_embedding";
    assert!(error(&[(refiner, &[77, 1280])]).contains("refiner"));
}

#[test]
fn shapes_that_lie_make_no_configuration() {
    let wishes = Wishes::default();
    // A network that says that it begins, and has nothing behind.
    let file = recognised(&[("model.diffusion_model.input_blocks.0.0.weight", &[])]).unwrap();
    assert!(file.config(Part::Unet, &wishes).unwrap().is_err());
    let file = recognised(&[("first_stage_model.encoder.conv_in.weight", &[3])]).unwrap();
    assert!(file.config(Part::Vae, &wishes).unwrap().is_err());
    // Sixty thousand blocks, each alone.
    let names: Vec<String> = (0..60_000)
        .map(|block| format!("model.diffusion_model.input_blocks.{block}.0.in_layers.2.weight"))
        .chain(["model.diffusion_model.input_blocks.0.0.weight".to_owned()])
        .collect();
    let names: Vec<(&str, &[usize])> =
        names.iter().map(|name| (name.as_str(), &[64][..])).collect();
    let file = recognised(&names).unwrap();
    assert!(file.config(Part::Unet, &wishes).unwrap().is_err());
    assert!(file.config(Part::Vae, &wishes).is_none());
}
