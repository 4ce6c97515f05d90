#!/usr/bin/env bash
# Everything that can fail, in the order in which it fails fastest. The last line counts the parts.
cd "$(dirname "$0")/.."
scripts/bootstrap-test.sh
# shellcheck source=scripts/common.sh
. scripts/common.sh

passed=()
failed=()
skipped=()

# part <name> <command …>: runs one part; a failure does not keep the others from being heard. A part
# that ends with 77 could not be tried, and has said why.
part() {
  local name="$1" started=$SECONDS code=0
  shift
  say "" "== $name"
  "$@" </dev/null || code=$?
  case $code in
    0)
      passed+=("$name")
      say "-- $name: passed in $((SECONDS - started)) s"
      ;;
    77)
      skipped+=("$name")
      say "-- $name: SKIPPED"
      ;;
    *)
      failed+=("$name")
      say "-- $name: FAILED after $((SECONDS - started)) s"
      ;;
  esac
}

make --no-print-directory build </dev/null || fail "The build failed; nothing was tested."
part "page tests" make --no-print-directory test-web
part "Rust tests" make --no-print-directory test-rust
# The kernels once more as a processor with fewer instructions runs them; the tests before took the widest path.
for path in avx2 portable; do
  part "kernels by $path" env SKIAGRAPH_ISA=$path make --no-print-directory test-kernels
done
if [ -f web/playwright.config.ts ]; then
  part "browser tests" make --no-print-directory test-browser
else
  skipped+=("browser tests")
fi
part "spoken requests" tests/flows/spoken_request.sh
if [ ! -d ../shared/data ]; then
  say "" "== flow on real radiographs: SKIPPED, ../shared/data is absent"
  skipped+=("flow on real radiographs")
else
  # Fewer steps than by hand: that the way holds is tested here, what it reaches is measured there.
  part "flow on real radiographs" env LORA_STEPS="${LORA_STEPS:-30}" make --no-print-directory test-flows
fi

say ""
for name in "${failed[@]:-}"; do [ -z "$name" ] || say "failed: $name"; done
for name in "${skipped[@]:-}"; do [ -z "$name" ] || say "skipped: $name"; done
say "parts: ${#passed[@]} passed, ${#failed[@]} failed, ${#skipped[@]} skipped"
[ ${#failed[@]} = 0 ]
