#!/bin/sh
# Build the wheel, check what is in it and its types, and run the core tests against it in a fresh environment without
# the sources.
# Usage: sh tests/wheel.sh PYTHON BIN
# Versions are those of locks/dev.txt.
set -eu
python=$1
bin=$(cd "$2" && pwd)
root=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$bin/python" -m build --wheel --no-isolation --outdir "$work/dist" "$root" >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
"$bin/check-wheel-contents" "$work"/dist/*.whl
"$python" -m venv "$work/venv"
"$bin/uv" pip install --quiet --no-config --python "$work/venv/bin/python" --constraints "$root/locks/dev.txt" \
    "$(echo "$work"/dist/*.whl)[rank]" pytest pytest-timeout pytest-xdist hypothesis pandas pyarrow
cp -r "$root/tests" "$root/docs" "$root/pyproject.toml" "$work/"
cd "$work"
# Types as users' checkers see them: user code in strict mode, and every public name says its own.
ln -s venv .venv
"$bin/pyright"
PATH="$work/venv/bin:$PATH" "$bin/pyright" --verifytypes tts --ignoreexternal >types.log || { cat types.log; exit 1; }
"$work/venv/bin/python" -m pytest -q -n 2 --dist loadfile -m "not slow" --ignore tests/api/test_surface.py tests/answers tests/api \
    tests/contracts tests/engine tests/metrics tests/prompts tests/registry tests/sources tests/store tests/strategies tests/tasks \
    tests/downstream
# Without the extra, the default model is one sentence that names it; it is asked a sum, as it knows nothing else.
if "$work/venv/bin/tts" solve "Compute 12*7+31*4." 2>"$work/error"; then echo "solve should need the hf extra"; exit 1; fi
grep -q "pip install 'ttscale\[hf\]'" "$work/error" || { cat "$work/error"; exit 1; }
echo "wheel: contents, types and tests are fine"
