#!/usr/bin/env bash
# Formatting and lints. Clippy runs under the release profile, which shares the build scripts and
# macros that `make test` has compiled already.
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

cargo fmt --all -- --check
cargo clippy --release --locked --workspace --all-targets -- -D warnings
(cd web && npm run --silent check)
