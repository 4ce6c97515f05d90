"""What every peer's process does: its work under the clock, and one line of JSON about it."""

import json
import time
from collections.abc import Callable


def peak() -> int:
    """The most memory that this process has held, in bytes."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not tell a process's peak memory")


def measure(work: Callable[[], None], warm_up: int, repeat: int) -> None:
    """Does `work` and prints the seconds of each repetition and the peak of memory."""
    for _ in range(warm_up):
        work()
    each = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        each.append(time.perf_counter() - started)
    print(json.dumps({"each": each, "peak_bytes": peak()}), flush=True)
