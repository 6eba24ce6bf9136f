#!/usr/bin/env bash
# Checks the Python package without a server: format, lints, types, its own tests, and how much of it these run.
#
#   scripts/python.sh
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/target/python-tools
wanted=clients/python/requirements-dev.txt
least=95 # per cent of the package's statements

# The tools are no part of what is installed: they stand beside what was built.
if ! cmp -s "$wanted" "$tools/installed"; then
    rm -rf "$tools"
    python3=/usr/bin/python3
    [ -x "$python3" ] || python3=python3
    "$python3" -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
    cp "$wanted" "$tools/installed"
fi

settings=clients/python/pyproject.toml
others=(examples/python/recipes examples/python/shop benches/near tests/consistency/near_reader.py)
"$tools/bin/ruff" format --no-cache --config "$settings" --check --quiet clients/python "${others[@]}"
"$tools/bin/ruff" check --no-cache --config "$settings" --ignore B,D,UP --quiet "${others[@]}"
export PYTHONDONTWRITEBYTECODE=1
(
    cd examples/python/recipes
    PYTHONPATH=../../../clients/python:../../../clients/python/tests "$tools/bin/python" -m unittest --quiet
)
cd clients/python
"$tools/bin/ruff" check --no-cache --quiet
"$tools/bin/mypy" --cache-dir="$tools/mypy"
export PYTHONPATH=$PWD COVERAGE_FILE=$tools/coverage
cd tests
"$tools/bin/coverage" run --source=pgcache -m unittest discover
"$tools/bin/coverage" report --skip-covered --fail-under="$least"
