#!/usr/bin/env bash
# The recipe of the starter model under engine/starter.
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
fail "The recipe of the starter model is not written yet."
