"""Draws configurations that no fixture holds, and asks the engine whether it makes of them what diffusers does.

    make explore SEED=7 COUNT=200          # from the project's root; KINDS="schedulers networks pipelines"

Every case is a model with random weights as diffusers saves it, and a reference file of what diffusers makes
of it; `skiagraph-engine model check` judges. A case that deviates is kept under the folder that is printed. One
that the engine refuses is counted by its reason: a refusal is honest, and tells what is not built.
"""

import argparse
import collections
import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import diffusers
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

from draws import networks, pipelines, schedulers
from draws.common import Case, Draw, Skipped, plain

KINDS = {module.__name__.removeprefix("draws."): module for module in (schedulers, networks, pipelines)}


def ask(engine: Path, case: Case, reference: Path) -> tuple[int, dict, str]:
    """The program's exit, its report and what it said."""
    command = [engine, "model", "check", "--model", case.folder, "--reference", reference, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        report = {}
    return done.returncode, report, done.stderr.strip()


def spoil(case: Case, path: Path) -> None:
    """A reference file whose first expected output is wrong by a hundredth."""
    with safe_open(case.reference, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        metadata = file.metadata()
    name = next(name for name in sorted(tensors) if "/out/" in name)
    value = tensors[name]
    value.view(-1)[-1] += 0.01 * value.abs().max()
    save_file(tensors, path, metadata=metadata)


def judged(engine: Path, case: Case) -> tuple[str, str]:
    """`well`, `deviates`, `refused` or `failed`, and the reason."""
    code, report, said = ask(engine, case, case.reference)
    if code not in (0, 1):
        said = str(report.get("cause", "")) or said
        return ("refused" if code == 2 else "failed"), said.splitlines()[-1] if said else f"exit {code}"
    if "parts" not in report:
        return "failed", said or f"exit {code} without a report"
    deviations = [part["deviation"] for part in report["parts"]]
    worst = max(float("inf") if one is None else one for one in deviations)
    if code == 1 or worst > case.limit:
        return "deviates", f"{worst:.2e} of {case.limit:.0e}"
    wrong = case.folder / "wrong.safetensors"
    spoil(case, wrong)
    code, _, said = ask(engine, case, wrong)
    return ("well", f"{worst:.2e}") if code == 1 else ("failed", f"a wrong reference: exit {code} {said}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", type=Path, required=True, help="the program skiagraph-engine")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100, help="cases of each kind")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    kept = Path(tempfile.mkdtemp(prefix="explore-"))
    found, reasons, bad = collections.Counter(), collections.Counter(), False
    for kind in options.kinds:
        for number in range(options.first, options.first + options.count):
            name = f"{options.seed}.{kind}.{number}"
            torch.manual_seed(hash_of(name))
            folder = kept / name
            try:
                with torch.no_grad():
                    case = KINDS[kind].case(Draw(name), folder)
            except Skipped as cause:
                found[kind, "not in diffusers"] += 1
                reasons[f"skipped: {cause}"[:160]] += 1
                shutil.rmtree(folder, ignore_errors=True)
                continue
            verdict, reason = judged(options.engine, case)
            found[kind, verdict] += 1
            if verdict == "well":
                shutil.rmtree(folder)
                continue
            if verdict == "refused":
                reasons[reason.replace(str(folder), "")[:200]] += 1
            bad |= verdict != "refused"
            print(f"{verdict}: {name}: {reason}\n    {plain(case.words)}", flush=True)
    print()
    for (kind, verdict), count in sorted(found.items()):
        print(f"{kind:<12} {verdict:<18} {count}")
    for reason, count in reasons.most_common():
        print(f"{count:>5}  {reason}")
    print(f"kept under {kept}")
    return int(bad)


def hash_of(name: str) -> int:
    return Draw(name).getrandbits(32)


if __name__ == "__main__":
    sys.exit(main())
