"""What a figure depends on: the machine, and the versions of both sides."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

# Instructions that a kernel may choose by, of x86-64 and of Arm.
FEATURES = (
    "avx2", "fma", "avx512f", "avx512bw", "avx512_bf16", "avx512_vnni", "amx_bf16", "asimd", "bf16", "sve",
)  # fmt: skip


def processor() -> dict:
    """Name, cores, memory and the instructions that matter."""
    fields = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    family = "".join(f", {word} {fields[key]}" for word, key in (("family", "cpu family"), ("model", "model")) if key in fields)
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1024**2
    return {
        "processor": fields.get("model name", platform.machine()) + family,
        "instructions": " ".join(flag for flag in FEATURES if flag in flags) or "none of those that kernels choose by",
        "cores": os.cpu_count(),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, {' '.join(platform.libc_ver())}".strip(),
    }


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def engine(program: Path) -> str:
    """The engine's version, and the commit of the tree beside this file."""
    ours = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.split()[-1]
    root = Path(__file__).parent.parent
    described = ["git", "-C", root, "describe", "--always", "--dirty", "--exclude=*"]
    commit = subprocess.run(described, capture_output=True, text=True)
    return f"{ours} ({commit.stdout.strip() or 'no commit'})"


def versions(stable_diffusion_cpp: Path) -> dict[str, str]:
    """Of the peers."""
    found = {package: version(package) for package in ("torch", "diffusers", "peft", "transformers")}
    built = list(stable_diffusion_cpp.glob("stable_diffusion_cpp_python-*.dist-info"))
    name = built[0].name.removesuffix(".dist-info").split("-")[-1] if built else "absent"
    return found | {"stable-diffusion-cpp-python": name}


def load() -> float:
    """How many processes wanted a core over the last minute."""
    return os.getloadavg()[0]
