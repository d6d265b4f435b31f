"""What newcomers type by mistake, and what they are told: every mistake must end in one sentence.

`python tests/cli/mistakes.py` prints each message, then a table of which ended so. Nothing is loaded and no network is
asked: the model is a fake that answers at once.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))

from fake_backend import Fake

import tts
from tts.cli import main

LONGEST = 420  # characters; a sentence of more is not read
PROBLEMS = [{"problem": "What is 1+1?", "answer": "2"}, {"problem": "What is 2+2?", "answer": "4"}]
SETS = [{**PROBLEMS[0], "candidates": [r"\boxed{2}", r"\boxed{3}"]}]

COMMANDS = """
tts rnu p.jsonl
tts solv "What?"
tts solve
tts solve ""
tts solve "  "
tts solve p.jsonl -m fake:2
tts solve "What?" --modle fake:2
tts solve "What?" -m fake
tts solve "What?" -m fkae:2
tts solve "What?" -m fake:
tts solve "What?" -m :2
tts solve "What?" -m fake:2@second=1
tts solve "What?" -m fake:2@seconds=soon
tts solve "What?" -m fake:2@seconds
tts solve "What?" -m fake:2@
tts solve "What?" -m @local
tts solve "What?" -m gsr
tts solve "What?" -m gpt-4o
tts solve "What?" -m Qwen/Qwen2.5-7B-Instruct
tts solve "What?" -m hf:/no/such/folder
tts solve "What?" -m hf:./nowhere
tts solve "What?" -m hf:a/b/c
tts solve "What?" -m hf:miniature/jdge
tts solve "What?" -m hf:miniature@dtype=float8
tts solve "What?" -m hf:miniature@devise=cpu
tts solve "What?" -m openai:x@http://127.0.0.1:9/v1
tts solve "What?" -m openai:x@base_url=127.0.0.1
tts solve "What?" -m openai:x@api_key=sk-123
tts solve "What?" -m openai:x@base_url=http://user:pw@127.0.0.1:9/v1
tts solve "What?" -m openai:x@base_url=http://127.0.0.1:9/v1,key_env=NOT_SET_ANYWHERE
tts solve "What?" -m openai:x@base_url=http://127.0.0.1:9/v1,key_file=/no/such/key
tts solve "What?" -m mine.py
tts solve "What?" -m mine.py:reply
tts solve "What?" -m nowhere.py:reply
tts solve "What?" -m fake:2@fail=true
tts solve "What?" -m fake:2 -s gssr
tts solve "What?" -m fake:2 -s ""
tts solve "What?" -m fake:2 -s gsr,majority
tts solve "What?" -m fake:2 -s mine.py
tts solve "What?" -m fake:2 -s mine.py:Mine
tts solve "What?" -m fake:2 -s mine.py:value
tts solve "What?" -m fake:2 -s broken.py:Mine
tts solve "What?" -m fake:2 -s best_of_n
tts solve "What?" -m fake:2 -s knockout
tts solve "What?" -m fake:2 -s synthesizer
tts solve "What?" -m fake:2 -s knockout --judge fake:2
tts solve "What?" -m fake:2 -s knockout --judge generic
tts solve "What?" -m fake:2 -s knockout --judge generic:fake
tts solve "What?" -m fake:2 -s knockout --judge genric:fake:2
tts solve "What?" -m fake:2 -s best_of_n --scorer fake:2
tts solve "What?" -m fake:2 -s best_of_n --scorer hf-reward:/no/such
tts solve "What?" -m fake:2 -k 0
tts solve "What?" -m fake:2 -k -1
tts solve "What?" -m fake:2 -k four
tts solve "What?" -m fake:2 -k 1.5
tts solve "What?" -m fake:2 -p outputs=none
tts solve "What?" -m fake:2 -p output=2
tts solve "What?" -m fake:2 -p outputs
tts solve "What?" -m fake:2 -p majority.x=2
tts solve "What?" -m fake:2 --temperature -1
tts solve "What?" -m fake:2 --temperature warm
tts solve "What?" -m fake:2 --top-p 2
tts solve "What?" -m fake:2 --max-tokens 0
tts solve "What?" -m fake:2 --timeout 0
tts solve "What?" -m fake:2 --budget 0
tts solve "What?" -m fake:2 --seed x
tts solve "What?" -m fake:2 --store p.jsonl/s.db
tts solve "What?" -m fake:2 --store p.jsonl
tts solve "What?" -m fake:2 --store folder
tts solve "What?" -m fake:2 --extractor boxd
tts solve "What?" -m fake:2 --extractor mine.py:nothing
tts solve "What?" -m fake:2 --answers maths
tts solve "What?" -m fake:2 --template nowhere.jinja
tts solve "What?" -m fake:2 --template empty.jinja
tts solve "What?" -m fake:2 --template broken.jinja
tts run nowhere.jsonl -m fake:2
tts run p.json -m fake:2
tts run folder -m fake:2
tts run p.txt -m fake:2
tts run empty.jsonl -m fake:2
tts run broken.jsonl -m fake:2
tts run nocolumns.jsonl -m fake:2
tts run twins.jsonl -m fake:2
tts run latin.csv -m fake:2
tts run p.jsonl -m fake:2 --columns problem=qestion
tts run p.jsonl -m fake:2 --columns prolbem=problem
tts run p.jsonl -m fake:2 --columns problem
tts run p.jsonl -m fake:2 --limit 0
tts run p.jsonl -m fake:2 --grader mth
tts run p.jsonl -m fake:2 --grader mine.py:nothing
tts run p.jsonl -m fake:2 -o result.txt
tts run p.jsonl -m fake:2 -o nowhere/result.json
tts run p.jsonl -m fake:2 -o folder
tts run p.jsonl -m fake:2 --report page.pdf
tts run p.jsonl -m fake:2 --max-failed many
tts run task:sum -m fake:2
tts run sums -m fake:2
tts run task: -m fake:2
tts run task:sums@sizes=3 -m fake:2
tts run task:sums@size=many -m fake:2
tts run task:table:nowhere.csv -m fake:2
tts run task:math500 -m fake:2 --data-dir /no/such
tts run p.jsonl -m fake:2 --data-dir folder
tts run hub: -m fake:2
tts sample p.jsonl -m fake:2 -o sets.csv
tts compare sets.jsonl -s majorty
tts compare sets.jsonl -k 2 -s majority,
tts compare sets.jsonl -s gsr
tts compare sets.jsonl -k 5 -s majority
tts compare nowhere.db -s majority
tts compare sets.jsonl --think "[T]"
tts eval p.jsonl -m fake:2
tts eval p.jsonl -m fake:2 -o p.jsonl
tts eval p.jsonl -m fake:2 -o out -p outputs=2
tts eval p.jsonl -m fake:2 -o out -k 8 --samples 4
tts eval p.jsonl -m fake:2 -o out --prices nowhere.toml
tts report
tts report nowhere.db
tts report p.jsonl
tts report folder
tts report kept.db -o page.doc
tts gaps
tts gaps folder
tts gaps p.jsonl
tts store list nowhere.db
tts store list p.jsonl
tts store show kept.db zzzz
tts store export kept.db -o x.csv
tts store import new.db nowhere.jsonl
tts store import new.db p.jsonl
tts store import new.db sets.jsonl --columns candidates=response
tts store forget kept.db --where finish
tts plugins gsrr
tts plugins --kind strategies
tts plugin new
tts plugin new "my plugin"
tts doctor --modle fake:2
tts completion powershell
tts answers
"""

NOTHING = lambda _: "4"  # noqa: E731 - as users write it
CALLS: dict[str, Callable[[], Any]] = {
    'tts.solve("")': lambda: tts.solve(""),
    "tts.solve(None)": lambda: tts.solve(None),  # type: ignore[arg-type]  # the mistake, here and below
    "tts.solve('a', model=5)": lambda: tts.solve("a", model=5),  # type: ignore[arg-type]
    "tts.solve('a', model='fake:1', strategy=None)": lambda: tts.solve("a", model="fake:1", strategy=None),  # type: ignore[arg-type]
    "tts.solve('a', model=f, k='4')": lambda: tts.solve("a", model=NOTHING, k="4"),  # type: ignore[arg-type]
    "tts.solve('a', model=f, temperature=1)": lambda: tts.solve("a", model=NOTHING, temperature=1),  # type: ignore[call-arg]
    "tts.solve('a', model=f, sampling=1)": lambda: tts.solve("a", model=NOTHING, sampling=1),  # type: ignore[arg-type]
    "tts.solve('a', model=f, sampling={'temp': 1})": lambda: tts.solve("a", model=NOTHING, sampling={"temp": 1}),
    "tts.solve('a', modle=f)": lambda: tts.solve("a", modle=NOTHING),  # type: ignore[call-arg]
    "tts.solve('a', strategies=['gsr'])": lambda: tts.solve("a", strategies=["gsr"]),  # type: ignore[call-arg]
    "tts.solve('a', model=f, extractor=5)": lambda: tts.solve("a", model=NOTHING, extractor=5),  # type: ignore[arg-type]
    "tts.solve('a', model=f, answers='words')": lambda: tts.solve("a", model=NOTHING, answers="words"),
    "tts.solve('a', model=lambda: 1)": lambda: tts.solve("a", model=lambda: 1, strategy="first", k=1),  # type: ignore[arg-type, misc]
    "tts.solve('a', model=returns a number)": lambda: tts.solve("a", model=lambda _: 1, strategy="first", k=1),
    "tts.Sampling(temp=1)": lambda: tts.Sampling(temp=1),  # type: ignore[call-arg]
    "tts.Sampling(temperature='hot')": lambda: tts.Sampling(temperature="hot"),  # type: ignore[arg-type]
    "tts.run(5)": lambda: tts.run(5, model=NOTHING),  # type: ignore[arg-type]
    "tts.run([])": lambda: tts.run([], model=NOTHING, strategy="first").raise_for_missing() or _none(),
    "tts.run([1, 2])": lambda: tts.run([1, 2], model=NOTHING, strategy="first", k=1),
    "tts.run([{'q': 1}])": lambda: tts.run([{"q": 1}], model=NOTHING, strategy="first", k=1),
    "tts.run('p.jsonl', grader=5)": lambda: tts.run("p.jsonl", model=NOTHING, grader=5),  # type: ignore[arg-type]
    "tts.compare('sets.jsonl', strategies=None)": lambda: tts.compare("sets.jsonl", strategies=None),  # type: ignore[arg-type]
    "tts.compare('sets.jsonl', strategies=[])": lambda: tts.compare("sets.jsonl", strategies=[]),
    "tts.compare('sets.jsonl', strategies=5)": lambda: tts.compare("sets.jsonl", strategies=5),  # type: ignore[arg-type]
    "tts.compare('sets.jsonl', strategy='gsr')": lambda: tts.compare("sets.jsonl", strategy="gsr"),  # type: ignore[call-arg]
    "tts.strategy('gsr', outputs=0)": lambda: tts.strategy("gsr", outputs=0),
    "tts.strategy('gsr', output=1)": lambda: tts.strategy("gsr", output=1),
    "tts.task('sum')": lambda: tts.task("sum"),
    "tts.grader('mth')": lambda: tts.grader("mth"),
    "tts.Store('p.jsonl/s.db')": lambda: tts.Store("p.jsonl/s.db"),
    "tts.Engine(model='x')": lambda: tts.solve("a", model="x"),
    "tts.compare('sets.jsonl').save('x.doc')": lambda: _compared().save("x.doc"),
    "tts.compare('sets.jsonl').report('x.doc')": lambda: _compared().report("x.doc"),
    "tts.compare('sets.jsonl').accuracy('gssr')": lambda: _compared().accuracy("gssr"),
    "tts.eval.evaluate('p.jsonl', estimator='mean')": lambda: tts.eval.evaluate("p.jsonl", estimator="mean"),  # type: ignore[arg-type]
    "tts.eval.read_gaps(['nowhere'])": lambda: tts.eval.read_gaps(["nowhere"]),
}


def _none() -> None:
    raise tts.TaskError("no problem was given")


def _compared() -> tts.eval.Comparison:
    return tts.compare("sets.jsonl", strategies=["first"], k=2, grader=lambda gold, answer: gold == answer)


class Told(NamedTuple):
    """A mistake and what came of it; `ok` says that it was one sentence."""

    mistake: str
    ok: bool
    message: str


def prepare(folder: Path) -> None:
    """The files that the mistakes are made with."""
    rows = {"p.jsonl": PROBLEMS, "sets.jsonl": SETS, "nocolumns.jsonl": [{"q": "a"}], "empty.jsonl": []}
    rows["twins.jsonl"] = [{"id": "a", **PROBLEMS[0]}, {"id": "a", **PROBLEMS[1]}]
    for name, own in rows.items():
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in own))
    (folder / "broken.jsonl").write_text('{"problem": "a"\n')
    (folder / "p.txt").write_text("What is 1+1?\n")
    (folder / "latin.csv").write_bytes("problem,answer\nWas ist 1+1 für dich?,2\n".encode("latin-1"))
    (folder / "mine.py").write_text("value = 5\n")
    (folder / "broken.py").write_text("def broken(:\n")
    (folder / "empty.jinja").write_text("Nothing is asked.")
    (folder / "broken.jinja").write_text("{{ problem }")
    (folder / "folder").mkdir()
    tts.sample("p.jsonl", k=1, model="fake:2", store=folder / "kept.db")


def commands() -> Iterator[Told]:
    """What every command says."""
    for line in COMMANDS.strip().splitlines():
        done = CliRunner().invoke(main, shlex.split(line)[1:], input="", prog_name="tts")
        yield Told(line, _one_sentence(done.exit_code, done.stderr, done.exception), done.stderr.strip())


def _one_sentence(status: int, said: str, error: BaseException | None) -> bool:
    lines = [line for line in said.splitlines() if line.lower().startswith("error: ")]
    ended = status in (1, 2, 3) and isinstance(error, SystemExit) and "Traceback" not in said
    return ended and len(lines) == 1 and 10 < len(lines[0]) <= LONGEST


def calls() -> Iterator[Told]:
    """What every call raises."""
    for name, call in CALLS.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                call()
        except tts.TTSError as error:
            message = str(error)
            yield Told(name, "\n" not in message and len(message) <= LONGEST, f"{type(error).__name__}: {message}")
        except Exception as error:
            yield Told(name, False, f"{type(error).__name__}: {error}")
        else:
            yield Told(name, False, "no error at all")


def everything() -> list[Told]:
    """All mistakes, made in a folder of their own."""
    tts.plugins().register("backend", "fake", Fake)
    os.environ.pop("TTS_DEBUG", None)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        prepare(Path(folder))
        return [*commands(), *calls()]


if __name__ == "__main__":
    found = everything()
    for one in found:
        sys.stdout.write(f"\n{one.mistake}\n    {one.message}\n")
    sys.stdout.write("\n")
    for one in found:
        sys.stdout.write(f"{'one sentence' if one.ok else 'NOT SO      '}  {one.mistake}\n")
    good = sum(one.ok for one in found)
    sys.stdout.write(f"\n{good} of {len(found)} mistakes end in one sentence\n")
    sys.exit(good < len(found))
