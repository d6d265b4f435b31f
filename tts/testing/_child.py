"""Run as a program: reads a pickled plugin, writes as JSON what it does in this process."""

from __future__ import annotations

import json
import pickle
import sys
from typing import Any


def _asked(what: str, plugin: Any) -> Any:
    if what == "decisions":
        from tts.testing._conduct import decisions

        return decisions(plugin, backwards=True)
    from tts.testing._task import first_examples

    return first_examples(plugin)


if __name__ == "__main__":
    answer = _asked(sys.argv[1], pickle.load(sys.stdin.buffer))  # noqa: S301 - what the parent wrote
    sys.stdout.write(json.dumps(answer))
