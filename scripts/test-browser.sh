#!/usr/bin/env bash
# The browser tests: they start their own server and leave screenshots under target/.
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

for browser in chromium chromium-browser google-chrome; do
  if has "$browser"; then
    CHROMIUM="$(command -v "$browser")"
    break
  fi
done
[ -n "${CHROMIUM:-}" ] || fail "No Chromium was found; scripts/bootstrap-test.sh installs one."
export CHROMIUM
export SKIAGRAPH_BIN="$CARGO_TARGET_DIR/release/skiagraph"
export SKIAGRAPH_ENGINE_BIN="$CARGO_TARGET_DIR/release/skiagraph-engine"
cd web
npm run --silent test:browser
