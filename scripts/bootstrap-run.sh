#!/usr/bin/env bash
# Installs what building and running need and this machine lacks: a C compiler, Node, Rust.
# Where all is there it does nothing, in a few milliseconds.
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

# SQLite, mimalloc and the TLS library are compiled from C.
need cc build-essential
need make build-essential
need curl curl
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
install_missing

install_node() {
  if ! has npm; then
    install_packages nodejs npm || true
  fi
  # Debian 12 and Ubuntu 24.04 package Node 18; npm itself carries newer ones.
  if ! node_is_new_enough && has npm; then
    say "Installing Node 22 under $tools: the system's is older than $node_least"
    mkdir -p "$tools"
    npm install --silent --no-fund --no-audit --prefix "$tools" node@22 npm@10 </dev/null || true
    hash -r
  fi
  node_is_new_enough || fail \
    "The pages need Node $node_least or newer with npm, which could not be installed from here." \
    "Install Node 22, by your system's packages or from https://nodejs.org, and start again."
}

install_rust() {
  say "Installing Rust"
  if ! install_packages rustup 2>/dev/null || ! has rustup; then
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
      sh -s -- -y --no-modify-path --default-toolchain none --profile minimal || true
    hash -r
  fi
  # The toolchain's version stands in rust-toolchain.toml. Older rustups install it by itself,
  # newer ones when they are asked.
  if has rustup; then
    rustup toolchain install >/dev/null 2>&1 || true
  fi
  has cargo && cargo --version >/dev/null 2>&1 || fail \
    "Skiagraph needs Rust, which could not be installed from here." \
    "Install rustup from https://rustup.rs and start again; rust-toolchain.toml names the version."
}

node_is_new_enough || install_node
has cargo || install_rust
