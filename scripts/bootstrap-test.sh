#!/usr/bin/env bash
# Installs what the tests need beyond what running needs: a browser, DICOM's independent judges,
# PostgreSQL, an archive, the tools of the scripts, and a voice.
cd "$(dirname "$0")/.."
scripts/bootstrap-run.sh
# shellcheck source=scripts/common.sh
. scripts/common.sh

# Ubuntu's `chromium` is a snap; any of these names will do.
has chromium || has chromium-browser || has google-chrome || missing+=(chromium)
need dcmdump dcmtk
need dciodvfy dicom3tools
need gdcmconv libgdcm-tools
python3 -c 'import pydicom, numpy, PIL' 2>/dev/null || missing+=(python3-pydicom python3-numpy python3-pil)
need jq jq
need zip zip
need unzip unzip
need sqlite3 sqlite3
# initdb lies outside PATH on Debian.
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || need initdb postgresql
install_missing

# What the flows with an archive alone need: where it cannot be had, they are skipped and say so.
need Orthanc orthanc
need socat socat
compgen -G '/usr/share/orthanc/plugins/libOrthancDicomWeb*' >/dev/null || missing+=(orthanc-dicomweb)
need openssl openssl

# What the spoken requests alone need: where it cannot be had, they are skipped and say so.
need espeak-ng espeak-ng
need opusenc opus-tools
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
  install_packages "${missing[@]}" || say "Could not be installed from here: ${missing[*]}"
  missing=()
fi
