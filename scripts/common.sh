# What every script of this folder shares; to be sourced from the repository's root.

set -euo pipefail

# cargo's own default, unless the caller chose another folder.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
case "$CARGO_TARGET_DIR" in
  /*) ;;
  *) CARGO_TARGET_DIR="$PWD/$CARGO_TARGET_DIR" ;;
esac

# Tools that this project fetched for itself, when the system's are missing or too old.
tools="$CARGO_TARGET_DIR/tools"
PATH="$tools/node_modules/.bin:$HOME/.cargo/bin:$PATH"
export PATH

# The oldest Node that the pages build with (`engines` in web/package.json).
node_least="20.19"

say() { printf '%s\n' "$*"; }
fail() {
  printf '%s\n' "$@" >&2
  exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root: as it is, or by sudo. Fails where neither is allowed.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif has sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    sudo "$@"
  else
    return 1
  fi
}

# Installs system packages, or says which ones to install.
install_packages() {
  [ $# -gt 0 ] || return 0
  if has apt-get; then
    say "Installing system packages: $*"
    if as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq </dev/null >/dev/null 2>&1 &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null; then
      hash -r
      return 0
    fi
  fi
  return 1
}

# need <command> <package>: notes the package as missing when the command is not there.
missing=()
need() { has "$1" || missing+=("$2"); }

# Installs what `need` noted.
install_missing() {
  [ ${#missing[@]} -gt 0 ] || return 0
  install_packages "${missing[@]}" || fail \
    "Skiagraph needs system packages that could not be installed from here. As an administrator, run:" \
    "    apt-get update && apt-get install ${missing[*]}" \
    "and start again. (On another system: the packages that bring the same commands.)"
  missing=()
}

# Whether $1 is a version of at least $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

node_is_new_enough() { has node && has npm && at_least "$(node --version | tr -d v)" "$node_least"; }
