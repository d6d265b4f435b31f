"""What `import tts`, `tts --help` and `tts plugins` cost in a fresh process, and that nothing heavy is loaded.

Beside them stand `import pydantic`, on which every record rests, and its-hub, where it is installed.

    python benchmarks/import_time.py

Seconds are medians of nine, each process measured on its own; the bare interpreter is taken off in the second column.
"""

from __future__ import annotations

import platform
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec

HEAVY = ("torch", "transformers", "sympy", "numpy", "rich", "datasets", "tts_backends.hf")
REPORT = f"import sys; print(*(m for m in {HEAVY!r} if m in sys.modules))"
MAIN = "import sys; sys.argv = ['tts', *{arguments!r}]\ntry:\n    import tts.cli; tts.cli.main()\nfinally:\n    "


def seconds(*command: str) -> float:
    times = []
    for _ in range(9):
        started = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def loaded(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1] or "none"


def main() -> None:
    bare = seconds("-c", "pass")
    print(f"Python {platform.python_version()}, {platform.machine()}; bare interpreter {bare:.3f} s\n")
    print("| what | s | over the bare interpreter | heavy modules loaded |")
    print("|---|---|---|---|")
    rows = [
        ("import tts", ("-c", "import tts"), "import tts\n" + REPORT),
        ("tts.Strategy", ("-c", "from tts import Strategy"), "from tts import Strategy\n" + REPORT),
        ("tts.solve", ("-c", "from tts import solve"), "from tts import solve\n" + REPORT),
        ("tts --help", ("-m", "tts", "--help"), MAIN.format(arguments=["--help"]) + REPORT),
        ("tts plugins", ("-m", "tts", "plugins"), MAIN.format(arguments=["plugins"]) + REPORT),
    ]
    for name, module in (("import pydantic's BaseModel", "pydantic"), ("import its_hub", "its_hub")):
        if find_spec(module) is not None:
            code = "from pydantic import BaseModel" if module == "pydantic" else f"import {module}"
            rows.append((name, ("-c", code), f"{code}\n{REPORT}"))
    for name, command, code in rows:
        total = seconds(*command)
        print(f"| `{name}` | {total:.3f} | {total - bare:.3f} | {loaded(code)} |")


if __name__ == "__main__":
    main()
