#!/usr/bin/env bash
# Formatting and lints. Clippy runs under the release profile, which shares the build scripts and
# macros that `make test` has compiled already. Where clippy's driver is the compiler, the tests were
# linted as they were built, and only what they did not need is left.
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

cargo fmt --all -- --check
if [ "${RUSTC_WORKSPACE_WRAPPER:-}" = clippy-driver ]; then
  cargo test --release --locked --workspace --all-targets --no-run
else
  cargo clippy --release --locked --workspace --all-targets -- -D warnings
fi
(cd web && npm run --silent check)
