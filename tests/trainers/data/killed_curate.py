"""`tts train-data` in a process of its own, to be killed: `python killed_curate.py DATA OUT DELAY`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from doubles import FakeBackend

import tts
from tts_trainers.data.cli import command

DATA, OUT, DELAY = sys.argv[1], sys.argv[2], float(sys.argv[3])


def sometimes(request: tts.Request, index: int) -> str:
    """`a+b` is solved right by half of the seeds, and refined right by two thirds of them."""
    prompt = request.messages[-1].content
    a, b = (int(part) for part in prompt.split("Problem:\n")[-1].split("\n")[0].split("+"))
    every = 3 if "Candidate Response" in prompt else 2
    return f"<think>{request.seeds[index]}</think>So it is \\boxed{{{a + b + (request.seeds[index] % every == 0)}}}"


class Slow(FakeBackend):
    script = staticmethod(sometimes)
    delay = staticmethod(lambda _request, _index: DELAY)


RECIPE = """
[source]
data = ""
solutions = "solutions"
[student]
model = "slow:m"
[prompt]
mix = { 4 = 0.1 }
[teacher]
model = "slow:m"
n = 5
of_all_correct = 2
[direct]
origin = "ORIGIN"
[output]
evaluation_share = 0.2
"""

if __name__ == "__main__":
    tts.plugins().register("backend", "slow", Slow)
    recipe = Path(OUT).with_suffix(".toml")
    recipe.write_text(RECIPE.replace("ORIGIN", sys.argv[4]), "utf-8")
    command([str(recipe), "--source", DATA, "--out", OUT])
