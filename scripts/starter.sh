#!/usr/bin/env bash
# The recipe of the starter model under engine/starter, from the real radiographs of ../shared/data:
# wrap, data set, autoencoder, UNet and text encoder. Works under target/starter and goes on where
# it stopped; STARTER_STEPS shortens or lengthens the last training.
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

data="$PWD/../shared/data"
[ -d "$data" ] || fail "The starter model is trained on ../shared/data, which is absent."
engine="${SKIAGRAPH_ENGINE_BIN:-$CARGO_TARGET_DIR/release/skiagraph-engine}"
work="$CARGO_TARGET_DIR/starter"
mkdir -p "$work"

if [ ! -d "$work/children" ]; then
  "$engine" dicom wrap --images "$data/kermany224/images" --labels "$data/kermany224/labels.csv" \
    --out "$work/children" --view AP --age-group child --default-aspect 1.41
fi
if [ ! -d "$work/adults" ]; then
  "$engine" dicom wrap --images "$data/nih512/images" --labels "$data/nih512/labels.csv" --out "$work/adults"
fi
if [ ! -d "$work/dataset" ]; then
  "$engine" dataset build --name starter --out "$work/dataset" --validation-fraction 0.05 --seed 2026 \
    --licence "CC BY 4.0 (Kermany et al.); no restriction on use (NIH Clinical Center)" \
    --attribution "Paediatric radiographs: Kermany, Zhang, Goldbaum, Mendeley Data rscbjbr9sj v2, CC BY 4.0. Adult radiographs: NIH Clinical Center, https://nihcc.app.box.com/v/ChestXray-NIHCC; Wang et al., ChestX-ray8, CVPR 2017." \
    --masks "$data/kermany224/lungmasks" --mask-scores "$data/kermany224/labels.csv" --least-mask-score 0.14 \
    "$work/children" "$work/adults"
fi
[ -d "$work/vae/result" ] ||
  "$engine" train vae --config recipes/starter/vae.toml --dataset "$work/dataset" --out "$work/vae" --resume
"$engine" train base --config recipes/starter/base.toml --dataset "$work/dataset" --model "$work/vae/result" \
  --out "$work/base" --resume ${STARTER_STEPS:+--steps "$STARTER_STEPS"}
find engine/starter -mindepth 1 -maxdepth 1 ! -name recipe -exec rm -rf {} +
cp -r "$work/base/result/." engine/starter/
"$engine" model check --model engine/starter
