"""Importing radiographs: `skiagraph-engine dataset build` beside a script of pydicom and Pillow that does the same, in
turns, each in a fresh process, on the same DICOM objects. Prints the ratio of the medians.

The script below is what a careful engineer writes: it reads an object, checks that it is a frontal radiograph of a
chest, applies Modality and VOI LUT, turns MONOCHROME1, reduces to 1,024 pixels, writes a 16-bit PNG under the hash of its
pixels, and at the end a manifest with captions, keyed pseudonyms and a split by patient. `--processes` spreads it."""

import argparse
import hashlib
import json
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LONGEST_SIDE = 1024


def take(arguments: tuple[Path, Path]) -> dict:
    """Reads an object and writes its frame; answers its line of the manifest."""
    import numpy as np
    import pydicom
    from PIL import Image
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    path, out = arguments
    content = path.read_bytes()
    source = hashlib.sha256(content).digest()
    data = pydicom.dcmread(path)
    if data.Modality not in ("CR", "DX") or data.get("SyntheticData") == "YES":
        raise ValueError(f"{path.name}: no radiograph of a patient")
    if data.get("BodyPartExamined", "CHEST") != "CHEST" or data.get("ViewPosition") not in ("AP", "PA", None):
        raise ValueError(f"{path.name}: no frontal radiograph of a chest")
    values = apply_voi_lut(apply_modality_lut(data.pixel_array, data), data).astype(np.float32)
    low, high = values.min(), values.max()
    grey = (values - low) / max(high - low, 1e-6)
    if data.PhotometricInterpretation == "MONOCHROME1":
        grey = 1 - grey
    image = Image.fromarray(grey, "F")
    if max(image.size) > LONGEST_SIDE:
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    pixels = np.round(np.clip(np.asarray(image), 0, 1) * 65535).astype(np.uint16)
    name = hashlib.sha256(pixels.tobytes()).hexdigest()[:32]
    target = out / "frames" / f"{name}.png"
    Image.fromarray(pixels).save(target)
    years = int(data.get("PatientAge", "000Y")[:3])
    findings = [item.CodeMeaning for item in data.get("AdmittingDiagnosesCodeSequence", [])]
    group = "child" if years < 18 else "adult"
    caption = ["chest radiograph", f"{data.get('ViewPosition', '')} view", group, *findings]
    return {
        "id": name,
        "caption": ", ".join(part for part in caption if part.strip()),
        "patient": str(data.PatientID),
        "findings": findings,
        "age_years": years,
        "sex": data.get("PatientSex") or None,
        "width": image.width,
        "height": image.height,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "source": source.hex(),
    }


def script(folder: Path, out: Path, processes: int) -> None:
    (out / "frames").mkdir(parents=True)
    work = [(path, out) for path in sorted(folder.glob("*.dcm"))]
    if processes > 1:
        with multiprocessing.Pool(processes) as pool:
            lines = pool.map(take, work, chunksize=16)
    else:
        lines = [take(one) for one in work]
    key = hashlib.sha256("".join(line.pop("source") for line in lines).encode()).digest()
    for line in lines:
        line["patient"] = hashlib.blake2b(line["patient"].encode(), key=key, digest_size=8).hexdigest()
        line["split"] = "validation" if int(line["patient"], 16) % 20 == 0 else "train"
    lines.sort(key=lambda line: line["id"])
    (out / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def timed(command: list) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="DICOM objects")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--script", type=Path, help="only run the script, into this folder")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    if options.script:
        script(options.folder, options.script, options.processes)
        return
    count = len(list(options.folder.glob("*.dcm")))
    times: dict[str, list[float]] = {"engine": [], "pydicom": [], "pydicom, two processes": []}
    with tempfile.TemporaryDirectory(dir=options.folder.parent) as scratch:
        for number in range(options.rounds):
            out = Path(scratch) / str(number)
            build = [options.engine, "dataset", "build", "--name", "import", "--licence", "none", "--attribution"]
            times["engine"].append(timed([*build, "none", "--out", out / "engine", options.folder]))
            for name, processes in (("pydicom", 1), ("pydicom, two processes", 2)):
                again = [sys.executable, "-B", __file__, "--folder", options.folder, "--script", out / name]
                times[name].append(timed([*again, "--processes", str(processes)]))
            written = {name: len(list((out / name / "frames").glob("*.png"))) for name in times}
            if len(set(written.values())) != 1:
                sys.exit(f"they do not write the same: {written}")
            shutil.rmtree(out)
    ours = statistics.median(times["engine"])
    print(f"{count} radiographs, {options.rounds} rounds in turns; median (shortest to longest)")
    for name, each in times.items():
        median = statistics.median(each)
        print(
            f"{name:24} {median:7.2f} s ({min(each):.2f} to {max(each):.2f})  {count / median:7.1f} a second"
            f"  {median / ours:5.2f} times ours"
        )


if __name__ == "__main__":
    main()
