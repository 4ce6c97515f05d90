"""Both sides in turns, ratio and peak memory per case, and BENCHMARKS.md: `make bench-peers`.

    python bench/peers.py --engine target/release/skiagraph-engine --desk target/bench [--cases NAME …] [--rounds N]

One process at a time. What was measured before on the same machine and with the same peers stays in the table.
"""

import argparse
import ctypes.util
import datetime
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import machine
import table
from accuracy import between
from bundles import SINGLE
from cases import STEPS, Case, named

HERE = Path(__file__).parent
# glibc then keeps what is freed, and maps no file of zeros for every tensor.
KEEPING = {
    "MALLOC_TOP_PAD_": str(256 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
}


# Seconds of a call from which on the peer makes one alone, its first, as it comes: PyTorch's bf16 on a processor that has no
# products of bf16 takes minutes a call, and neither a warm-up nor another allocator changes what that says.
SLOW = 60.0
# Seconds after which a peer's first call is stopped: its row says then that it takes more than that.
LIMIT = 300.0


class Failed(Exception):
    """A process that ended without its figures."""


class Stopped(Failed):
    """A peer that was not done within LIMIT."""


class Bench:
    def __init__(self, options: argparse.Namespace, scratch: Path):
        self.options = options
        self.desk = options.desk.absolute()
        self.cpp = self.desk / "stable-diffusion.cpp"
        self.scratch = scratch

    # One process of either side.

    def run(self, command: list, environment: dict[str, str], limit: float | None = None) -> dict:
        """The last line of JSON that a process prints within `limit` seconds."""
        threads = str(self.options.threads)
        counts = {name: threads for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")}
        words = [str(part) for part in command]
        try:
            done = subprocess.run(
                words, env=os.environ | counts | environment, capture_output=True, text=True, timeout=limit
            )
        except subprocess.TimeoutExpired:
            raise Stopped(f"its first call was stopped after {limit:.0f} s") from None
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode == 0 and lines:
            return json.loads(lines[-1])
        said = (done.stderr.strip() or done.stdout.strip() or "nothing was said").splitlines()[-1]
        raise Failed(f"ended with {done.returncode}: {said[:300]}")

    def ours(self, case: Case, dtype: str, warm_up: int, repeat: int, output: Path | None = None) -> dict:
        command = [self.options.engine, "--json", "bench", "--case", case.name, "--dtype", dtype]
        command += ["--model", self.desk / "models" / case.model, "--threads", self.options.threads]
        command += ["--warm-up", warm_up, "--repeat", repeat]
        if case.batch:
            command += ["--inputs", self.desk / "inputs" / f"{case.name}.safetensors"]
        if output:
            command += ["--output", output]
        report = self.run(command, {})
        if report["status"] == "unsupported":
            raise Failed(f"the engine cannot do it yet: {report['reason']}")
        if report["status"] != "measured":
            raise Failed(f"ours failed: {report.get('cause')}")
        return report

    def pytorch(self, case: Case, dtype: str, setting: str, more: list) -> dict:
        environment = self.settings(case)[setting]
        command = [sys.executable, "-B", HERE / "pytorch.py", "--case", case.name, "--dtype", dtype]
        command += ["--model", self.desk / "models" / case.model, "--threads", self.options.threads]
        command += ["--inputs", self.desk / "inputs" / f"{case.name}.safetensors", *more]
        if "nhwc" in setting:
            command.append("--channels-last")
        # What is timed in bf16 may have no end; of f32 every row has its answer.
        return self.run(command, environment, LIMIT if dtype != "f32" and "--output" in more else None)

    def stable_diffusion_cpp(self, case: Case, setting: str, steps: int) -> dict:
        command = [sys.executable, "-B", HERE / "stable_diffusion_cpp_peer.py", "--steps", steps]
        command += ["--model", self.desk / "models" / SINGLE, "--threads", self.options.threads]
        command += [f"--{word}" for word in setting.split("+") if word != "plain"]
        return self.run(command, {"PYTHONPATH": str(self.cpp)})

    def settings(self, case: Case) -> dict[str, dict[str, str]]:
        """The peer's settings, with what each puts into its environment."""
        if case.name == "text-to-image":
            return {"plain": {}, "flash": {}, "flash+direct": {}}
        found = {"plain": {}, "malloc": KEEPING, "malloc+nhwc": KEEPING}
        for name, library in (("jemalloc", "jemalloc"), ("tcmalloc", "tcmalloc_minimal")):
            if file := ctypes.util.find_library(library):
                found[name] = {"LD_PRELOAD": file}
        return found

    def peer(self, case: Case, dtype: str, setting: str, warm_up: int, repeat: int, steps: int = STEPS) -> dict:
        if case.name == "text-to-image":
            return self.stable_diffusion_cpp(case, setting, steps)
        return self.pytorch(case, dtype, setting, ["--warm-up", warm_up, "--repeat", repeat])

    # A case.

    def distances(self, case: Case, dtype: str) -> tuple[dict, dict | None]:
        """How far ours, and PyTorch in bf16, are from PyTorch in f32 on the same weights and inputs; and what PyTorch's
        first call took, where its answer was not known."""
        if not case.batch:
            # A whole image by another program's noise is another image; its networks have rows of their own.
            return {}, None
        answer = self.scratch / "ours.safetensors"
        self.ours(case, dtype, 0, 1, answer)

        def expected(dtype: str) -> Path:
            path = self.desk / "answers" / f"{case.name}-{dtype}-torch-{machine.version('torch')}.safetensors"
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                pending = path.with_suffix(".pending")
                first[dtype] = self.pytorch(case, dtype, "plain", ["--output", pending])
                if first[dtype]["each"][0] > SLOW:
                    # Not kept: the next time it is measured again.
                    return pending
                pending.rename(path)
            return path

        first: dict[str, dict] = {}
        found = {"ours_distance": asdict(between(answer, expected("f32")))}
        if dtype != "f32":
            try:
                found["peer_distance"] = asdict(between(expected(dtype), expected("f32")))
            except Stopped as fault:
                return found | {"stopped": LIMIT, "status": f"the peer: {fault}"}, None
        return found, first.get(dtype)

    def best(self, case: Case, dtype: str) -> tuple[str, int]:
        """The peer's fastest setting, and its least peak in any; each once."""
        seconds, peaks = {}, []
        for setting in self.settings(case):
            # Of a whole image, one step tells as much as twenty.
            done = self.peer(case, dtype, setting, case.warm_up, 1, 1)
            seconds[setting] = min(done["each"])
            peaks.append(done["peak_bytes"])
            print(f"  peer, {setting}: {seconds[setting]:.3f} s, {peaks[-1] / 1024**3:.2f} GiB", flush=True)
        return min(seconds, key=seconds.get), min(peaks)

    def measure(self, case: Case, dtype: str) -> dict:
        result = {"date": datetime.date.today().isoformat(), "load": machine.load(), "status": ""}
        repeat = self.options.repeat or case.repeat
        try:
            distances, first = self.distances(case, dtype)
            result |= distances
        except (Failed, ValueError) as fault:
            return result | {"status": str(fault)}
        try:
            if case.name == "text-to-image" and not self.cpp.exists():
                raise Failed("stable-diffusion.cpp is absent: bench/stable-diffusion-cpp.txt could not be built")
            if "stopped" in result:
                done = self.ours(case, dtype, case.warm_up, repeat)
                print(f"  peer: more than {LIMIT:.0f} s, ours {table.span(done['each'])}", flush=True)
                return result | {"setting": "PyTorch, plain, one call", "ours": done["each"], "ours_peak": done["peak_bytes"]}
            slow = first is not None and first["each"][0] > SLOW
            setting, least = ("plain, one call", first["peak_bytes"]) if slow else self.best(case, dtype)
        except Failed as fault:
            # Ours stands alone then, rather than not at all.
            result["status"] = f"the peer: {fault}"
            try:
                done = self.ours(case, dtype, case.warm_up, repeat)
            except Failed as ours:
                return result | {"status": f"{result['status']}; {ours}"}
            return result | {"ours": done["each"], "ours_peak": done["peak_bytes"]}
        name = "stable-diffusion.cpp" if case.name == "text-to-image" else "PyTorch"
        result |= {"setting": f"{name}, {setting}", "peer": [], "ours": [], "peer_peak": least, "ours_peak": 0}
        try:
            for turn in range(1, self.options.rounds + 1):
                peer = first if slow else self.peer(case, dtype, setting, case.warm_up, repeat)
                ours = self.ours(case, dtype, case.warm_up, repeat)
                result["peer"] += peer["each"]
                result["ours"] += ours["each"]
                result["peer_peak"] = min(result["peer_peak"], peer["peak_bytes"])
                result["ours_peak"] = max(result["ours_peak"], ours["peak_bytes"])
                ratio = table.median(peer["each"]) / table.median(ours["each"])
                print(f"  round {turn}: peer {table.span(peer['each'])}, ours {table.span(ours['each'])}, ratio {ratio:.2f}", flush=True)
        except Failed as fault:
            result["status"] = f"stopped in round {turn}: {fault}"
        return result


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", type=Path, required=True)
    parser.add_argument("--desk", type=Path, required=True, help="where models, inputs and results lie")
    parser.add_argument("--cases", nargs="*", default=[])
    parser.add_argument("--dtypes", nargs="*", default=["f32", "bf16"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, help="repetitions in a process, in place of the case's")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--table", type=Path, default=HERE.parent / "BENCHMARKS.md")
    return parser.parse_args()


def main() -> None:
    given = options()
    cases = named(given.cases)
    given.desk.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-B", HERE / "bundles.py", given.desk, *(case.name for case in cases)], check=True)
    with tempfile.TemporaryDirectory(dir=given.desk) as scratch:
        measure(given, cases, Bench(given, Path(scratch)))


def measure(given: argparse.Namespace, cases: list[Case], bench: Bench) -> None:
    """Every row that is asked for; each is on disk before the next begins."""
    state = {
        "machine": machine.processor(),
        "versions": machine.versions(bench.cpp),
        "engine": machine.engine(given.engine),
        "threads": given.threads,
        "results": {},
    }
    path = given.desk / "results.json"
    if path.exists():
        before = json.loads(path.read_text())
        if all(before[key] == state[key] for key in ("machine", "versions", "threads")):
            # The engine changes between rows; each says of which commit it is.
            state["results"] = before["results"]
    for case in cases:
        for dtype in case.dtypes:
            if dtype not in given.dtypes:
                continue
            print(f"{case.name} {dtype}", flush=True)
            result = bench.measure(case, dtype) | {"engine": state["engine"]}
            state["results"][f"{case.name} {dtype}"] = result
            if result["status"]:
                print(f"  {result['status']}", flush=True)
            print("  " + table.row(case, dtype, result), flush=True)
            path.write_text(json.dumps(state, indent=1))
            table.write(given.table, state, "make bench-peers")


if __name__ == "__main__":
    main()
