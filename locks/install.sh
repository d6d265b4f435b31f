#!/bin/sh
# Make an environment of exactly what a lock says, this project included: sh locks/install.sh PYTHON FOLDER LOCK
# pip brings uv, and torch, because it knows where this machine keeps wheels; uv brings the rest in a fraction of pip's time.
# Two locks have a torch of their own: `oldest`, and `newest`, which is no file but what the index has today.
set -eu
python=$1 environment=$2 lock=$3
locks=$(dirname "$0")
[ -x "$environment/bin/python" ] || "$python" -m venv "$environment"

pip() { "$environment/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
uv() { "$environment/bin/uv" pip install --quiet --python "$environment/bin/python" --no-config "$@"; }

pip install --no-deps --require-hashes -r "$locks/uv.txt"
index=$(pip config get global.index-url 2>/dev/null || true) # a mirror that pip was told of is uv's, too
[ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"

if [ "$lock" = newest ]; then
    uv --upgrade --editable ".[dev]" -r "$locks/dev.in"
    exit
fi
if [ "$lock" != oldest ] && ! pip install --no-deps --require-hashes -r "$locks/torch-cpu.txt" 2>/dev/null; then
    echo "pip finds no build of torch for CPUs: taking the package index's, which on Linux brings CUDA (3 GB)" >&2
    uv --no-deps --require-hashes -r "$locks/torch.txt"
fi
uv --no-deps --require-hashes -r "$locks/$lock.txt"
uv --no-deps --no-build-isolation --editable .
