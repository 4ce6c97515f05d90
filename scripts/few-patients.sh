#!/usr/bin/env bash
# How few patients are too few: trains each method of adapting on 8, 16 … 256 patients of the adult set, the fewer
# among the more, for as many steps each, and looks at the same held-out patients. Works under target/starter beside
# scripts/starter.sh and scripts/starter-figures.sh, whose data set and base it takes, and goes on where it stopped;
# some hours on two cores. Prints the table that docs/starter.md holds, and by which engine/src/train/caution.rs warns.
#
# BASE is the model that is adapted: the one that was taught children alone (FIGURES=adapters make starter-figures),
# for of what a base knows already no set teaches it more. PATIENTS, METHODS and STEPS say what is measured.
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

root="$PWD"
work="$CARGO_TARGET_DIR/starter"
base="${BASE:-child-base/result}"
read -ra sizes <<<"${PATIENTS:-8 16 32 64 128 256}"
read -ra methods <<<"${METHODS:-lora controlnet concept prefix textual_inversion}"
steps="${STEPS:-300}"
# The share of the largest set's gain that enough patients give.
enough=0.8
engine="${SKIAGRAPH_ENGINE_BIN:-$CARGO_TARGET_DIR/release/skiagraph-engine}"
[ -d "$work/dataset" ] || fail "Nothing is at $work/dataset: run scripts/starter.sh first."
cd "$work"
[ -d "$base" ] || fail "No model is at $work/$base: run FIGURES=adapters scripts/starter-figures.sh first, or set BASE."

[ -d adult-set ] ||
  "$engine" dataset select --dataset dataset --age-group adult --name "starter, adult" --out adult-set
for size in "${sizes[@]}"; do
  [ -d "few/set-$size" ] ||
    "$engine" dataset select --dataset adult-set --patients "$size" --seed 1 \
      --name "starter, $size adult patients" --out "few/set-$size"
done
most="${sizes[-1]}"
for method in "${methods[@]}"; do
  runs=()
  for size in "${sizes[@]}"; do
    run="few/$method-$size"
    [ -d "$run/result" ] ||
      "$engine" train "${method//_/-}" --config "$root/recipes/few/$method.toml" --model "$base" \
        --dataset "few/set-$size" --out "$run" --steps "$steps" --resume
    runs+=("$run")
  done
  "$engine" compare "${runs[@]}" --against "few/$method-$most" --out "few/$method" >/dev/null
done

# rows METHOD: patients, images and share of the gain of each of its runs.
rows() {
  awk -F '[:,] *' '/"patients":/ { patients = $2 } /"images":/ { images = $2 }
    /"share_of_gain":/ { print patients, images, $2 }' "few/$1/report.json" | sort -n
}
summary=few/summary.md
{
  printf '| method |'
  rows "${methods[0]}" | awk '{ printf " %s patients (%s images) |", $1, $2 }'
  printf ' fewest images |\n|---|'
  rows "${methods[0]}" | awk '{ printf "---|" } END { print "---|" }'
  for method in "${methods[@]}"; do
    # The fewest from which on every set gave enough.
    rows "$method" | awk -v method="$method" -v enough="$enough" '
      { images[NR] = $2; share[NR] = $3 }
      END {
        printf "| %s |", method
        for (row = 1; row <= NR; row++) {
          if (share[row] == "null") printf " – |"
          else printf " %.0f %% |", 100 * share[row]
        }
        fewest = "–"
        for (row = NR; row >= 1 && share[row] != "null" && share[row] >= enough; row--) fewest = images[row]
        printf " %s |\n", fewest
      }'
  done
} | tee "$summary"
say "" "Base: $base, $steps steps each. The table is $work/$summary: docs/starter.md is to hold it."
