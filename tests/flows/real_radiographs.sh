#!/usr/bin/env bash
# The whole way through on real radiographs: 300 images of ../shared/data are wrapped, uploaded,
# made into a data set, learned from and generated after; then independent judges look at the
# objects and the audit log is verified. Prints each figure; exits non-zero where one does not hold.
#
# Steps of the fine-tune and of a generation: LORA_STEPS, IMAGE_STEPS. Model: MODEL. Set KEEP to keep
# the folder of the run.
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

data="$PWD/../shared/data"
model="${MODEL:-$PWD/engine/starter}"
lora_steps="${LORA_STEPS:-100}"
image_steps="${IMAGE_STEPS:-20}"

if [ ! -d "$data" ]; then
  say "SKIPPED: ../shared/data, with the real radiographs, is absent"
  exit 0
fi
if [ ! -f "$model/card.json" ]; then
  say "SKIPPED: no model at $model"
  exit 0
fi
for tool in curl jq zip dciodvfy dcmdump; do
  has "$tool" || fail "$tool is missing; scripts/bootstrap-test.sh installs it."
done
platform="${SKIAGRAPH_BIN:-$CARGO_TARGET_DIR/release/skiagraph}"
engine="${SKIAGRAPH_ENGINE_BIN:-$CARGO_TARGET_DIR/release/skiagraph-engine}"
unset SKIAGRAPH_BIN SKIAGRAPH_ENGINE_BIN

work="$(mktemp -d)"
server=
finish() {
  code=$?
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  [ $code = 0 ] || { say "the platform's last words:" && tail -n 20 "$work/log" 2>/dev/null || true; }
  [ -n "${KEEP:-}" ] && say "kept: $work" || rm -rf "$work"
  exit $code
}
trap finish EXIT

failures=0
figure() { printf '%-52s %s\n' "$1" "$2"; }
# holds <what> <command …>: prints whether it holds, and goes on.
holds() {
  local what="$1"
  shift
  if "$@"; then
    figure "$what" yes
  else
    figure "$what" "NO"
    failures=$((failures + 1))
  fi
}
seconds() { figure "$1" "$((SECONDS - since)) s"; since=$SECONDS; }
since=$SECONDS

# 1. Wrap: 200 children, whose images were squashed to a square, and 100 adults.
"$engine" dicom wrap --images "$data/kermany224/images" --labels "$data/kermany224/labels.csv" \
  --out "$work/children" --view AP --age-group child --default-aspect 1.41 --limit 200 --seed 1 >/dev/null
"$engine" dicom wrap --images "$data/nih512/images" --labels "$data/nih512/labels.csv" \
  --out "$work/adults" --limit 100 --seed 1 >/dev/null
wrapped=$(find "$work/children" "$work/adults" -type f -name '*.dcm' | wc -l)
figure "wrapped objects" "$wrapped"
holds "wrapped objects are 300" [ "$wrapped" = 300 ]
seconds "time to wrap"

# 2. The platform, on a free port.
port=$(node -e 's = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
api="http://127.0.0.1:$port/api/v1"
"$platform" serve --bind "127.0.0.1:$port" --data-dir "$work/data" --model "$model" >"$work/log" 2>&1 </dev/null &
server=$!
for _ in $(seq 300); do
  curl -sf "http://127.0.0.1:$port/readyz" >/dev/null && break
  kill -0 "$server" 2>/dev/null || fail "The platform ended at its start."
  sleep 0.1
done
one_time=$(grep -i 'one-time password' "$work/log" | head -n 1 | awk '{print $NF}' | tr -d '`".')
[ -n "$one_time" ] || fail "The platform printed no one-time password."

# call <token> <curl arguments …>: a request that must succeed; prints the answer.
call() {
  local token="$1"
  shift
  curl -sS --fail-with-body -H "Authorization: Bearer $token" "$@"
}
json() { call "$1" -H 'Content-Type: application/json' -d "$3" "$api$2"; }
login() {
  curl -sS --fail-with-body -H 'Content-Type: application/json' \
    -d "$(jq -n --arg u "$1" --arg p "$2" '{username: $u, password: $p}')" "$api/auth/login" | jq -r .access_token
}
password="a password for the flow 1"
# enter <user> <one-time password>: changes the password, prints a token.
enter() {
  local token
  token=$(login "$1" "$2")
  json "$token" /auth/password "$(jq -n --arg c "$2" --arg n "$password" '{current_password: $c, new_password: $n}')" >/dev/null
  login "$1" "$password"
}
admin=$(enter admin "$one_time")
# person <name> <role>: makes a user, prints a token.
person() {
  local made
  made=$(json "$admin" /users "{\"username\": \"$1\", \"display_name\": \"$1\", \"roles\": [\"$2\"]}")
  enter "$1" "$(jq -r .one_time_password <<<"$made")"
}
engineer=$(person engineer ml_engineer)
clinician=$(person reader clinician)
auditor=$(person auditor auditor)
# over <path of token> <token> <record>: waits until a record's work is over; prints it.
over() {
  local record started=$SECONDS
  while [ $((SECONDS - started)) -lt 1200 ]; do
    record=$(call "$1" "$api$2")
    case "$(jq -r .state <<<"$record")" in
      succeeded) printf '%s' "$record"; return ;;
      failed | cancelled) fail "$2: $record" ;;
    esac
    sleep 0.5
  done
  fail "$2: not over after twenty minutes: $record"
}

# 3. Upload: the children as a ZIP, the adults as a folder's files.
(cd "$work/children" && zip -q -r "$work/children.zip" .)
parts=()
for file in "$work"/adults/*.dcm; do parts+=(-F "files=@$file"); done
zipped=$(call "$engineer" -F "files=@$work/children.zip" "$api/uploads")
folder=$(call "$engineer" "${parts[@]}" "$api/uploads")
stored=$(($(jq .radiograph_count <<<"$zipped") + $(jq .radiograph_count <<<"$folder")))
figure "radiographs stored" "$stored"
holds "radiographs stored are 300" [ "$stored" = 300 ]
doubted=$(($(jq .pending_count <<<"$zipped") + $(jq .pending_count <<<"$folder")))
figure "radiographs that quality control doubts" "$doubted"
holds "one in twenty is doubted at most" [ "$doubted" -le 15 ]
for upload in "$zipped" "$folder"; do
  json "$engineer" "/uploads/$(jq -r .id <<<"$upload")/decisions" '{"decision": "accept"}' >/dev/null
done
seconds "time to upload"

# 4. Data set, split by patient.
dataset=$(json "$engineer" /datasets "$(jq -n --argjson a "$zipped" --argjson b "$folder" '{
  name: "Three hundred radiographs", upload_ids: [$a.id, $b.id], validation_fraction: 0.2, seed: 1,
  licence: "CC BY 4.0; NIH: no restriction on use",
  attribution: "Kermany et al., Mendeley Data rscbjbr9sj v2; NIH Clinical Center, ChestX-ray8"}')" | jq -r .id)
over "$engineer" "/datasets/$dataset" >/dev/null
for page in 1 2 3; do
  call "$engineer" "$api/datasets/$dataset/samples?page_size=200&page=$page"
done | jq -s '[.[].items[]]' >"$work/samples.json"
figure "samples in the data set" "$(jq length "$work/samples.json")"
holds "samples are 300" [ "$(jq length "$work/samples.json")" = 300 ]
for split in train validation; do
  jq -r --arg split "$split" '[.[] | select(.split == $split) | .patient] | unique[]' "$work/samples.json" >"$work/$split"
  figure "patients for $split" "$(wc -l <"$work/$split")"
done
overlap=$(comm -12 "$work/train" "$work/validation" | wc -l)
figure "patients on both sides" "$overlap"
holds "no patient is on both sides" [ "$overlap" = 0 ]
seconds "time to build the data set"

# 5. Fine-tune.
run=$(json "$engineer" /runs "{\"name\": \"Adapter of three hundred\", \"dataset_id\": \"$dataset\", \"method\": \"lora\",
  \"rank\": 8, \"alpha\": 8, \"steps\": $lora_steps, \"batch_size\": 8, \"learning_rate\": 0.0005, \"seed\": 1}" | jq -r .id)
record=$(over "$engineer" "/runs/$run")
before=$(jq .validation_loss_before <<<"$record")
after=$(jq .validation_loss_after <<<"$record")
figure "steps of the fine-tune" "$(jq .progress.step <<<"$record")"
figure "validation loss of the base model" "$before"
figure "validation loss with the adapter" "$after"
holds "the adapter's loss is lower" jq -en "$after < $before" >/dev/null
json "$engineer" "/runs/$run/promote" '{}' >/dev/null
seconds "time to fine-tune"

# 6. Four images from it.
generation=$(json "$clinician" /generations "{\"prompt\": {\"findings\": [\"pneumonia\"], \"age_group\": \"child\", \"view_position\": \"AP\"},
  \"adapter_id\": \"$run\", \"count\": 4, \"steps\": $image_steps, \"seed\": 20}" | jq -r .id)
over "$clinician" "/generations/$generation" >/dev/null
images=$(call "$clinician" "$api/images?generation_id=$generation")
figure "images generated" "$(jq .total <<<"$images")"
holds "images are 4" [ "$(jq .total <<<"$images")" = 4 ]
mkdir "$work/generated"
for image in $(jq -r '.items[].id' <<<"$images"); do
  call "$clinician" -o "$work/generated/$image.dcm" "$api/images/$image/file"
  call "$clinician" -o "$work/generated/$image.png" "$api/images/$image/png"
done
pictures="${CARGO_TARGET_DIR}/flow-images"
rm -rf "$pictures" && mkdir -p "$pictures" && cp "$work"/generated/*.png "$pictures"
figure "pictures kept in" "$pictures"
first=$(jq -r '.items[0].id' <<<"$images")
json "$clinician" "/images/$first/reviews" '{"verdict": "release", "reason": "Anatomy is in order", "realism": 3}' >/dev/null
holds "the reviewed image is released" [ "$(call "$clinician" "$api/images/$first" | jq -r .review_state)" = released ]
seconds "time to generate"

# 7. Independent judges.
# Synthetic Data (0008,001C) came with DICOM 2023c. The dictionary of the packaged dciodvfy is older,
# and calls every even tag that it does not know an error: that line alone, for that tag alone, is
# counted apart.
newer='^Error - Attribute with an even group number is not a recognized standard attribute - (0x0008,0x001c)'
errors() { dciodvfy "$1" 2>&1 | grep '^Error' | grep -vc "$newer" || true; }
unknown() { dciodvfy "$1" 2>&1 | grep -c "$newer" || true; }
for object in "$(find "$work/children" -name '*.dcm' | sort | head -n 1)" \
  "$(find "$work/adults" -name '*.dcm' | sort | head -n 1)" "$work/generated/$first.dcm"; do
  found=$(errors "$object")
  figure "dciodvfy errors, $(basename "$(dirname "$object")")" \
    "$found (and $(unknown "$object") for a tag newer than its dictionary)"
  holds "no error" [ "$found" = 0 ]
  [ "$found" = 0 ] || dciodvfy "$object" 2>&1 | grep '^Error' || true
done
marked() {
  local count=0 file
  for file in "$@"; do
    ! dcmdump +P 0008,001c "$file" 2>/dev/null | grep -q '\[YES\]' || count=$((count + 1))
  done
  printf '%s' "$count"
}
generated_marked=$(marked "$work"/generated/*.dcm)
wrapped_marked=$(marked "$work"/children/*.dcm "$work"/adults/*.dcm)
figure "generated objects marked Synthetic Data YES" "$generated_marked of 4"
figure "wrapped objects marked Synthetic Data YES" "$wrapped_marked of $wrapped"
holds "every generated object is marked" [ "$generated_marked" = 4 ]
holds "no wrapped object is marked" [ "$wrapped_marked" = 0 ]

# 8. The audit log.
call "$auditor" -o "$work/audit.csv" "$api/audit/export?format=csv"
figure "rows of the audit export" "$(($(wc -l <"$work/audit.csv") - 1))"
verdict=$(json "$auditor" /audit/verify '{}')
figure "audit events checked" "$(jq .checked <<<"$verdict")"
holds "the audit log is whole" [ "$(jq .intact <<<"$verdict")" = true ]
holds "the command line agrees" "$platform" audit verify --data-dir "$work/data"

figure "figures that do not hold" "$failures"
[ "$failures" = 0 ]
