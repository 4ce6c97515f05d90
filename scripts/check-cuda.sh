#!/usr/bin/env bash
# Compiles and links the programs and the engine's tests for NVIDIA's GPUs, kernels included, on a machine that need
# not have one: compiler and libraries come from NVIDIA's wheels, and the driver's library is a stub. Then runs the GPU
# tests, which say that they are skipped where there is no device.
#
# FEATURES     of `skiagraph-engine`, by default "cuda cudnn nccl"; flash-attn adds 52 files of kernels, which take long
# COMPUTE_CAP  of the GPUs that kernels are compiled for, by default 80 (A100; newer ones run it as well)
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

features="${FEATURES:-cuda cudnn nccl}"
home="$CARGO_TARGET_DIR/cuda"
requirements=scripts/cuda-requirements.txt

need git git
need g++ build-essential
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
install_missing

if ! cmp -s "$requirements" "$home/installed"; then
  say "Installing NVIDIA's compiler and libraries under $home (2 GB)"
  rm -rf "$home/wheels" "$home/installed"
  python3 -m venv "$home/wheels"
  # Without what the wheels would drag in: CUTLASS is wanted for its headers, not for its Python.
  "$home/wheels/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$requirements"
  cp "$requirements" "$home/installed"
fi
packages="$("$home/wheels/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
export CUDA_HOME="$packages/nvidia/cu13" CUDA_COMPUTE_CAP="${COMPUTE_CAP:-80}" PATH="$packages/nvidia/cu13/bin:$PATH"

# The wheels' libraries bear the version in their names, as programs load them; linkers look for names without.
name_libraries() {
  local library
  for library in "$CUDA_HOME"/lib/lib*.so.* "$packages"/nvidia/{cudnn,nccl}/lib/lib*.so.*; do
    ln -sf "$library" "$CUDA_HOME/lib/$(basename "${library%%.so.*}").so"
  done
}

# The driver's library comes with a driver alone. Its stub answers every call with CUDA_ERROR_STUB_LIBRARY (34), as
# that of NVIDIA's toolkit does. The names are those that the toolkit's own header declares, of every version, and the
# profiler's, whose header is in no wheel of these.
make_driver_stub() {
  mkdir -p "$CUDA_HOME/lib/stubs"
  {
    printf '#include <cuda.h>\n' | cc -E -D__CUDA_API_VERSION_INTERNAL -I"$CUDA_HOME/include" -
    printf 'cuProfilerStart() cuProfilerStop()\n'
  } | grep -oE '\bcu[A-Z][A-Za-z0-9_]*\(' | tr -d '(' | sort -u |
    sed 's/.*/int &(void) { return 34; }/' >"$home/driver_stub.c"
  cc -w -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$CUDA_HOME/lib/stubs/libcuda.so.1" "$home/driver_stub.c"
  ln -sf libcuda.so.1 "$CUDA_HOME/lib/stubs/libcuda.so"
}

# candle-flash-attn's build takes CUTLASS from this cache, where it lies there at the commit that is asked for, and
# would clone it from GitHub otherwise. The wheel's headers are those of that commit, which is version 3.5.0.
cutlass_commit=7d49e6c7e2f8896c47f586706e67e1fb215529dc
cache_cutlass() {
  local checkout="$CUDAFORGE_HOME/git/checkouts/cutlass-${cutlass_commit:0:16}"
  rm -rf "$checkout"
  mkdir -p "$checkout/tools/util"
  git init --quiet "$checkout"
  printf '%s\n' "$cutlass_commit" >"$checkout/.git/HEAD"
  ln -s "$packages/cutlass_library/source/include" "$checkout/include"
  ln -s "$packages/cutlass_library/source/tools/util/include" "$checkout/tools/util/include"
}

export CUDAFORGE_HOME="$home/cudaforge"
name_libraries
make_driver_stub
cache_cutlass

# Dependencies that know no CUDA are those of the other builds; the programs are put elsewhere, not over the others.
export CARGO_BUILD_BUILD_DIR="$CARGO_TARGET_DIR"
export CARGO_TARGET_DIR="$home/programs"
arguments=(--release --locked -p skiagraph -p skiagraph-engine)
for feature in $features; do
  arguments+=(--features "skiagraph/$feature,skiagraph-engine/$feature")
done
say "Compiling with $features for compute capability $CUDA_COMPUTE_CAP"
cargo build "${arguments[@]}"
cargo test --lib "${arguments[@]}" --no-run

libraries="$CUDA_HOME/lib:$packages/nvidia/cudnn/lib:$packages/nvidia/nccl/lib"
# A driver that is there goes before its stub.
ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1' || libraries="$libraries:$CUDA_HOME/lib/stubs"
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
"$CARGO_TARGET_DIR/release/skiagraph" --version
"$CARGO_TARGET_DIR/release/skiagraph-engine" --version
cargo test --lib "${arguments[@]}" -- --nocapture on_a_gpu device::tests
say "The CUDA build is sound: $features."
