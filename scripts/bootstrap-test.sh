#!/usr/bin/env bash
# Installs what the tests need beyond what running needs: a browser, DICOM's independent judges,
# PostgreSQL, and the tools of the scripts.
cd "$(dirname "$0")/.."
scripts/bootstrap-run.sh
# shellcheck source=scripts/common.sh
. scripts/common.sh

# Ubuntu's `chromium` is a snap; any of these names will do.
has chromium || has chromium-browser || has google-chrome || missing+=(chromium)
need dcmdump dcmtk
need dciodvfy dicom3tools
need jq jq
need zip zip
need unzip unzip
need sqlite3 sqlite3
# initdb lies outside PATH on Debian.
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || need initdb postgresql
install_missing
