#!/usr/bin/env bash
# The starter model under engine/starter, from the real radiographs of ../shared/data by the recipes of
# recipes/starter: data set, judge and segmenter, autoencoder, UNet and text encoder, two ControlNets, and the
# image–text pair. Works under target/starter and goes on where it stopped; a day on two cores.
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

root="$PWD"
data="$root/../shared/data"
[ -d "$data" ] || fail "The starter model is trained on ../shared/data, which is absent."
engine="${SKIAGRAPH_ENGINE_BIN:-$CARGO_TARGET_DIR/release/skiagraph-engine}"
mkdir -p "$CARGO_TARGET_DIR/starter"
# Recipes name what was trained before by its folder here.
cd "$CARGO_TARGET_DIR/starter"

if [ ! -d children ]; then
  "$engine" dicom wrap --images "$data/kermany224/images" --labels "$data/kermany224/labels.csv" \
    --out children --view AP --age-group child --default-aspect 1.41
fi
if [ ! -d adults ]; then
  "$engine" dicom wrap --images "$data/nih512/images" --labels "$data/nih512/labels.csv" --out adults
fi
if [ ! -d dataset ]; then
  "$engine" dataset build --name starter --out dataset --validation-fraction 0.05 --seed 2026 \
    --licence "CC BY 4.0 (Kermany et al.); no restriction on use (NIH Clinical Center)" \
    --attribution "Paediatric radiographs: Kermany, Zhang, Goldbaum, Mendeley Data rscbjbr9sj v2, CC BY 4.0. Adult radiographs: NIH Clinical Center, https://nihcc.app.box.com/v/ChestXray-NIHCC; Wang et al., ChestX-ray8, CVPR 2017." \
    --masks "$data/kermany224/lungmasks" --mask-scores "$data/kermany224/labels.csv" --least-mask-score 0.14 \
    children adults
fi

# train TASK RECIPE [OPTION...]: the run RECIPE, if it is not done.
train() {
  local task="$1" name="$2"
  shift 2
  [ -d "$name/result" ] ||
    "$engine" train "$task" --config "$root/recipes/starter/$name.toml" --dataset dataset --out "$name" --resume "$@"
}
train judge judge
train judge segmenter
train vae vae
train base base --model vae/result
train controlnet controlnet_lungmask --model base/result
train controlnet controlnet_edges --model base/result
train clip clip

starter="$root/engine/starter"
rm -rf "$starter"
cp -r base/result "$starter"
for part in judge segmenter controlnet_lungmask controlnet_edges clip; do
  cp -r "$part/result" "$starter/$part"
done
"$engine" model check --model "$starter"
