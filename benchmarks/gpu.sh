#!/usr/bin/env bash
# Everything that wants an accelerator, in one command: benchmarks/gpu.sh OUT
# Needs a python3 (or $PYTHON) with torch, transformers, tokenizers and peft for BLIP-2, and with torch, pandas, pyarrow,
# scipy, scikit-image, skia-python (which needs libEGL), universal-pathlib and threadpoolctl for ReStGAN and for the
# pictures of HandsOff's base, which may also lie in $HANDSOFF_DATA; nothing is installed or downloaded.
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: benchmarks/gpu.sh OUT" >&2
    exit 2
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

if ! "$python" -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    echo "gpu.sh: $python finds no torch with a CUDA device on this machine; run it on one that has a GPU, or set PYTHON." >&2
    exit 1
fi
export PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
"$python" -m benchmarks.gpu_blip2 "$out" 2>&1 | tee "$out/gpu.log"
"$python" -m benchmarks.restgan_runs --gpu --workers 5 --out "$out/restgan" 2>&1 | tee "$out/restgan.log"
"$python" -m benchmarks.restgan_ladder --out "$out/restgan" | tee "$out/restgan.md"
"$python" -m benchmarks.handsoff_data --out "${HANDSOFF_DATA:=.cache/handsoff}" 2>&1 | tee "$out/handsoff.log"
"$python" -m benchmarks.handsoff_base --work "$HANDSOFF_DATA" --out "$out/handsoff" 2>&1 | tee -a "$out/handsoff.log"
for side in 64 128; do
    "$python" -m benchmarks.handsoff generator --model "$out/handsoff/handsoff-tiny/$side" --work "$HANDSOFF_DATA" \
        --out "$out/handsoff" 2>&1 | tee -a "$out/handsoff.log"
done
