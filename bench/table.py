"""BENCHMARKS.md from the results: one row a case and number type, whatever became of it."""

from pathlib import Path

from cases import CASES, DEVIATION, MEMORY, Case

HEAD = (
    "| case | | peer | peer s | ours s | ratio | at least | aim | | peer GiB | ours GiB | share | | deviation | bound | |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
)


def mark(holds: bool) -> str:
    return "✓" if holds else "✗"


def span(values: list[float]) -> str:
    """Median, and the ends."""
    ordered = sorted(values)
    return f"{median(ordered):.3f} ({ordered[0]:.3f}–{ordered[-1]:.3f})"


def median(values: list[float]) -> float:
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def time_cells(case: Case, dtype: str, result: dict) -> list[str]:
    least, aim = case.targets[dtype]
    ours, peer = result.get("ours"), result.get("peer")
    goal = [f"{least}", f"{aim}"]
    if ours and (least_time := result.get("stopped")):
        ratio = least_time / median(ours)
        return [f"> {least_time:.0f}", span(ours), f"**> {ratio:.0f}**", *goal, mark(ratio >= least)]
    if not ours or not peer:
        return [span(peer) if peer else "–", span(ours) if ours else "–", "–", *goal, "–"]
    ratio = median(peer) / median(ours)
    return [span(peer), span(ours), f"**{ratio:.2f}**", *goal, mark(ratio >= least)]


def memory_cells(result: dict) -> list[str]:
    ours, peer = result.get("ours_peak"), result.get("peer_peak")
    if not ours or not peer:
        return [f"{peak / 1024**3:.2f}" if peak else "–" for peak in (peer, ours)] + ["–", "–"]
    share = ours / peer
    return [f"{peer / 1024**3:.2f}", f"{ours / 1024**3:.2f}", f"{share:.2f}", mark(share <= MEMORY[0])]


def accuracy_cells(dtype: str, result: dict) -> list[str]:
    ours, peer = result.get("ours_distance"), result.get("peer_distance")
    if not ours:
        return ["–"] * 3
    words = f"{ours['largest']:.1e} / {ours['mean']:.1e}"
    if dtype == "f32":
        return [words, f"{DEVIATION:.0e}", mark(ours["largest"] <= DEVIATION)]
    if not peer:
        return [words, "–", "–"]
    return [words, f"{peer['largest']:.1e} / {peer['mean']:.1e}", mark(ours["mean"] <= peer["mean"])]


def row(case: Case, dtype: str, result: dict | None) -> str:
    result = result or {}
    cells = [case.words, dtype, result.get("setting", "–")]
    cells += time_cells(case, dtype, result) + memory_cells(result) + accuracy_cells(dtype, result)
    return "| " + " | ".join(cells) + " |"


def notes(case: Case, dtype: str, result: dict | None, engine: str) -> list[str]:
    """Why a row lacks a figure, and of which engine it is where that is another."""
    said = ["not measured"] if result is None else [result["status"]] if result["status"] else []
    if result and result["engine"] != engine:
        said.append(f"measured with skiagraph-engine {result['engine']}")
    return [f"- {case.words}, {dtype}: {words}" for words in said]


def render(state: dict, command: str) -> str:
    results, machine = state["results"], state["machine"]
    rows = [(case, dtype, results.get(f"{case.name} {dtype}")) for case in CASES for dtype in case.dtypes]
    said = [line for entry in rows for line in notes(*entry, state["engine"])]
    measured = [result for _, _, result in rows if result]
    loads = [result["load"] for result in measured if "load" in result]
    lines = [
        "# Benchmarks",
        "",
        f"Made by `{command}`: both sides in turns, each time in a fresh process, on the same weights and inputs.",
        "Never edited by hand.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in machine.items()),
        f"| threads | {state['threads']} |",
        f"| skiagraph-engine | {state['engine']} |",
        *(f"| {name} | {version} |" for name, version in state["versions"].items()),
        f"| load of the machine before a case | {min(loads):.1f} to {max(loads):.1f} |" if loads else "",
        "",
        "Times are medians with the shortest and the longest, in seconds; the ratio is the peer's median divided by ours.",
        "The peer has the best of its settings (below) for its time, and its memory is its least in any of them.",
        f"Memory is the peak of a whole process, loading with it; it should be no more than the peer's, and {MEMORY[1]} of it is the",
        "aim. The deviation is the largest, as a share of the largest value, and the root of the mean square, from diffusers in f32;",
        "in bf16 the latter is bounded by PyTorch's own in bf16. Of a training step it is that of loss and gradients.",
        "",
        *HEAD,
        *(row(*entry) for entry in rows),
        "",
        "Settings of PyTorch: `plain`; `malloc`, glibc keeping what is freed (`MALLOC_TOP_PAD_`, `MALLOC_MMAP_THRESHOLD_`,",
        "`MALLOC_TRIM_THRESHOLD_`); `jemalloc` and `tcmalloc` where the machine has them; `nhwc`, channels last. Of",
        "stable-diffusion.cpp: `plain`, `flash`, its flash attention, `direct`, its direct convolutions. `one call`: the peer took",
        "more than a minute for its first, which is then its only one; after five minutes it is stopped, and the row says so.",
        "",
    ]
    if said:
        lines += ["Of single rows:", "", *said, ""]
    dates = sorted({f"{result['date']}" for result in measured if "date" in result})
    if dates:
        lines += [f"Measured {dates[0]}" + (f" to {dates[-1]}." if len(dates) > 1 else "."), ""]
    return "\n".join(line for index, line in enumerate(lines) if line or lines[index - 1])


def write(path: Path, state: dict, command: str) -> None:
    path.write_text(render(state, command))
