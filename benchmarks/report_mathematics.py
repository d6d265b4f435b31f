"""How much of the mathematics in files of problems and candidates the page can set, and how long that takes.

python benchmarks/report_mathematics.py FILE.jsonl ...     (rows {problem, answer, candidates})

With latex2mathml installed its time for the same formulas stands beside ours.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tts.report._mathematics import _FORMULA, _unmarked, formulas


def main() -> None:
    texts: list[str] = []
    for path in map(Path, sys.argv[1:]):
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            said = row.get("candidates", [])
            texts += [row.get("problem") or "", *(one if isinstance(one, str) else one["text"] for one in said)]
    found = sorted({source for text in texts for source in _FORMULA.findall(text)})
    began = time.perf_counter()
    kept = [source for source in found if formulas([source], ())]
    took = time.perf_counter() - began
    print(f"{sum(map(len, texts)):,} characters, {len(found):,} different formulas")
    print(f"set: {len(kept):,}, {100 * len(kept) / len(found):.1f} %, in {took:.2f} s")
    try:
        from latex2mathml.converter import convert
    except ImportError:
        return
    began = time.perf_counter()
    for source in found:
        try:
            convert(_unmarked(source)[0])
        except Exception:  # counted by nobody: only the time is compared
            continue
    print(f"latex2mathml: {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main()
