#!/usr/bin/env bash
# The figures of the starter model: autoencoder, segmenter, judge and images on held-out patients, and what adapters,
# concept and search do for a model that was taught children's radiographs alone. Works under target/starter beside
# scripts/starter.sh, whose data set, judge and autoencoder it takes, and goes on where it stopped: some hours on two
# cores, of which the figures of the starter itself are half an hour. Prints each figure beside what it must be, and
# ends with 1 where one is missed. FIGURES="starter" leaves the adapters out, FIGURES="adapters" the starter;
# PROMPTS, MASKS and CHILD_STEPS say how many.
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

root="$PWD"
work="$CARGO_TARGET_DIR/starter"
for needed in dataset judge/result vae/result; do
  [ -e "$work/$needed" ] || fail "Nothing is at $work/$needed: run scripts/starter.sh first."
done
engine="${SKIAGRAPH_ENGINE_BIN:-$CARGO_TARGET_DIR/release/skiagraph-engine}"
starter="$root/engine/starter"
cd "$work"
mkdir -p figures
missed=0

# value FILE KEY: a number of a report, the first of that name.
value() { sed -n "s/^ *\"$2\": \([-0-9.e]*\),\{0,1\}$/\1/p" "$1" | head -n 1; }

# must WHAT FILE KEY least|most LIMIT: prints a figure beside its limit.
must() {
  local found verdict
  found="$(value "$2" "$3")"
  verdict="$(awk -v found="${found:-none}" -v how="$4" -v limit="$5" 'BEGIN {
    if (found == "none") print "absent"
    else if (how == "least" ? found + 0 >= limit + 0 : found + 0 <= limit + 0) print "met"
    else print "missed"
  }')"
  [ "$verdict" = met ] || missed=1
  printf '| %s | %s | at %s %s | %s |\n' "$1" "${found:-–}" "$4" "$5" "$verdict" | tee -a figures/summary.md
}

# train TASK NAME OPTION...: the run NAME of recipes/figures, if it is not done.
train() {
  local task="$1" name="$2"
  shift 2
  [ -d "$name/result" ] || "$engine" train "$task" --config "$root/recipes/figures/$name.toml" --out "$name" --resume "$@"
}

of_starter() {
  "$engine" evaluate --model "$starter" --dataset dataset --out figures/starter \
    --prompts "${PROMPTS:-200}" --masks "${MASKS:-200}" --sheet 8
  "$engine" evaluate --model "$starter/segmenter" --dataset dataset --out figures/segmenter
  "$engine" evaluate --model "$starter/judge" --dataset dataset --out figures/judge
  # Before anything else lies in the model's folder: how large it is, judge and segmenter with it, and how long a
  # person waits for an image of 20 steps, the program's start with it.
  rm -f "$starter/samples.png" "$starter/samples.md"
  local begun size
  size="$(du -sb "$starter" | cut -f 1)"
  begun="$(date +%s%N)"
  "$engine" generate --model "$starter" --finding normal --steps 20 --seed 1 --out "$(mktemp -d)" >/dev/null
  awk -v size="$size" -v nanoseconds="$(($(date +%s%N) - begun))" 'BEGIN {
    printf "{\n  \"megabytes\": %.1f,\n  \"seconds_of_an_image\": %.2f\n}\n", size / 1e6, nanoseconds / 1e9
  }' >figures/starter/once.json
  # The other sheet holds real radiographs, which are no part of the project.
  cp figures/starter/samples.png figures/starter/samples.md "$starter/"
  say "Samples: $starter/samples.png; beside the nearest real radiographs: $work/figures/starter/samples-beside-real.png"
}

of_adapters() {
  local age
  for age in child adult; do
    [ -d "$age-set" ] ||
      "$engine" dataset select --dataset dataset --age-group "$age" --name "starter, $age" --out "$age-set"
  done
  [ -d child-base/result ] ||
    "$engine" train base --config "$root/recipes/starter/base.toml" --dataset child-set --model vae/result \
      --out child-base --resume --steps "${CHILD_STEPS:-2000}"
  local base=(--model child-base/result --dataset adult-set)
  train base adult-tune "${base[@]}"
  train lora adult-lora "${base[@]}"
  [ -f adult-search/report.json ] ||
    "$engine" search lora --config "$root/recipes/figures/adult-search.toml" --out adult-search --resume "${base[@]}"
  train concept adult-concept "${base[@]}"
  "$engine" compare adult-lora adult-tune --against adult-tune --out figures/lora
  "$engine" compare adult-search --out figures/search
  "$engine" evaluate --model child-base/result --dataset child-set --judge judge/result \
    --concept adult-concept/result:1.0 --prompts "${PROMPTS:-200}" --out figures/concept
}

figures="${FIGURES:-starter adapters}"
for part in $figures; do
  case "$part" in
    starter) of_starter ;;
    adapters) of_adapters ;;
    *) fail "FIGURES: $part is neither starter nor adapters." ;;
  esac
done

printf '| figure | value | must be | |\n|---|---|---|---|\n' | tee figures/summary.md
case "$figures" in *starter*)
  must "starter, all of it, in MB" figures/starter/once.json megabytes most 120
  must "an image of 20 steps, in seconds" figures/starter/once.json seconds_of_an_image most 3
  must "autoencoder, PSNR in dB" figures/starter/report.json autoencoder_psnr_db least 30
  must "autoencoder, SSIM" figures/starter/report.json autoencoder_ssim least 0.88
  must "segmenter on radiographs, Dice" figures/segmenter/report.json lung_dice least 0.95
  must "lungs of images against the masks asked for, Dice" figures/starter/report.json mask_dice least 0.90
  must "judge on radiographs, pneumonia against normal, AUROC" figures/judge/report.json \
    auroc_pneumonia_against_normal least 0.95
  must "images in which the judge sees what was asked for" figures/starter/report.json recognised least 0.85
  ;;
esac
case "$figures" in *adapters*)
  # The first run of figures/lora is the LoRA.
  must "LoRA, share of the UNet's weights" figures/lora/report.json share_of_unet most 0.01
  must "LoRA, share of the gain of training all" figures/lora/report.json share_of_gain least 0.95
  must "concept, old ability kept, by the loss" adult-concept/result/report.json kept least 0.95
  must "concept, old ability kept, by the judge" figures/concept/report.json kept_recognised least 0.95
  must "search, multiply-adds saved" adult-search/report.json saved least 0.30
  must "search, held-out loss" adult-search/report.json trained most "$(value adult-search/report.json uniform)"
  ;;
esac
[ "$missed" = 0 ] || fail "Some figures are missed or absent: $work/figures/summary.md"
