"""Says what the C2PA's own library makes of signed pictures.

    credentials.py FOLDER

FOLDER holds signed.png, the same with a letter changed, plain.png without a credential, and root.pem, which vouches for
the signer. One JSON object: of each reading its state, what failed, and the active manifest.
"""

import json
import sys
from pathlib import Path

from c2pa import C2paError, Context, Reader, Settings


def reading(path, root=None):
    settings = {"verify": {"ocsp_fetch": False, "remote_manifest_fetch": False}}
    if root:
        settings["trust"] = {"user_anchors": root}
    with Context(Settings.from_dict(settings)) as context, path.open("rb") as stream:
        try:
            reader = Reader("image/png", stream, context=context)
        except C2paError.ManifestNotFound:
            return {"state": None}
        with reader:
            failed = (reader.get_validation_results() or {}).get("activeManifest", {}).get("failure", [])
            return {
                "state": reader.get_validation_state(),
                "failures": [failure["code"] for failure in failed],
                "manifest": reader.get_active_manifest(),
            }


def main():
    folder = Path(sys.argv[1])
    root = (folder / "root.pem").read_text()
    said = {
        "trusted": reading(folder / "signed.png", root),
        "unknown": reading(folder / "signed.png"),
        "changed": reading(folder / "changed.png", root),
        "plain": reading(folder / "plain.png", root),
    }
    json.dump(said, sys.stdout)


main()
