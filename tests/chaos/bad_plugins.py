"""Bad plugins, each installed beside the real ones for a command of its own."""

from __future__ import annotations

import json
import re
import textwrap
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kinds import KINDS, WHOLE, Kind
from program import Ended, environment, has_option, rows, run
from trial import Found, Trial

ANSWERS = {"1+1": 2, "1+2": 3, "99+1": 100, "2+2": 4}
_QUICK = {("import", "prints from C"), ("strategy", "os._exit"), ("backend", "room for no completion")}

_MODULE = """
import tts

@tts.hookimpl
def tts_strategies(): return [tts.Entry(name="bad", target="bad_parts:Bad")]
@tts.hookimpl
def tts_backends(): return [tts.Entry(name="bad", target="bad_parts:Model")]
@tts.hookimpl
def tts_scorers(): return [tts.Entry(name="bad", target="bad_parts:Scorer")]
@tts.hookimpl
def tts_graders(): return [tts.Entry(name="bad", target="bad_parts:Grader")]
@tts.hookimpl
def tts_extractors(): return [tts.Entry(name="bad", target="bad_parts:extract")]

{code}
"""

_PARTS = '''
import asyncio
import re
import tts, tts.answers

class Bad(tts.Strategy):
    """First."""
    name = "bad"
    async def aggregate(self, ctx):
        c = await ctx.candidates()
        if "99" in ctx.problem.text:
{strategy}
        return tts.Decision(text=c[0].text, chosen=0)

class Model:
    Options = tts.NoOptions
    capabilities = tts.Capabilities(seed=True)
    fingerprint = "bad"
    def __init__(self, model, options): ...
    async def generate(self, request):
        if "99" in request.context + request.messages[-1].content:
{backend}
        a, b = map(int, re.findall(r"(\\d+)\\+(\\d+)", request.messages[-1].content)[-1])
        for i in range(request.n):
            text = "\\\\boxed{{%d}}" % (a + b + (request.seeds[i] % 3 == 0))
            yield tts.Completion(index=i, text=text, usage=tts.Usage(calls=1, answer_tokens=2))
    async def count_tokens(self, texts): return [len(t) for t in texts]
    async def aclose(self): ...
{backend_class}

class Scorer:
    Options = tts.NoOptions
    fingerprint = "bad"
    def __init__(self, model, options): ...
    async def score(self, problem, responses):
        if "99" in problem.text:
{scorer}
        return [tts.Score(value=-r.index) for r in responses]
    async def aclose(self): ...

class Grader:
    async def grade(self, pairs):
{grader}
        return [a == b for a, b in pairs]
    async def aclose(self): ...
{grader_class}

def extract(text):
    if "99" in text:
{extractor}
    return tts.answers.extract(text)
'''
_WANTS = {"waits for ever": "--request-timeout", "yields one twice": "--max-failed"}  # which see to it
_DEPTHS = {"strategy": 12, "backend": 12, "scorer": 12, "grader": 8, "extractor": 8}


def trials() -> Iterator[Trial]:
    """One for each kind."""
    for kind in KINDS:
        lacks = ""
        if kind.name in _WANTS and kind.place != "strategy":
            option = _WANTS[kind.name]
            lacks = "" if has_option("compare", option) else f"{option} is not there"

        def attempt(folder: Path, _seed: int, kind: Kind = kind) -> Found:
            return tried(kind, folder)

        yield Trial(f"bad plugins: {kind.place}", kind.name, attempt, (kind.place, kind.name) in _QUICK, lacks)


def tried(kind: Kind, folder: Path) -> Found:
    """Run a command with the plugin; what is told about it, and every number that is not the plugin's own, is right."""
    return _judged(kind, command(kind.place, kind, folder), folder)


def command(place: str, kind: Kind | None, folder: Path) -> Ended:
    """The command that meets a plugin in its place."""
    _install(kind, folder)
    _write_inputs(folder)
    limits = ["--timeout", "3"]
    limits += ["--request-timeout", "3"] if has_option("compare", "--request-timeout") else []
    if place == "backend":
        what = ["problems.jsonl", "-s", "majority,first", "-m", "bad:m", "--store", "s.db"]
    else:
        names = {"strategy": "majority,first,bad", "scorer": "majority,best_of_n"}.get(place, "majority,first")
        own = {"scorer": "bad:m", "grader": "bad", "extractor": "bad"}
        what = ["candidates.jsonl", "-s", names, *([f"--{place}", own[place]] if place in own else [])]
    asked = ["compare", *what, "-k", "3", "--json", "-o", "out.jsonl", *limits]
    return run(asked, folder, environment(folder / "plugin"))


def _install(kind: Kind | None, folder: Path) -> None:
    site = folder / "plugin"
    about = site / "bad_plugin-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-plugin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[tts]\nbad = bad_module\n")
    places = dict.fromkeys(_DEPTHS, "pass") | {"backend_class": "", "grader_class": "", "import": ""}
    if kind is not None:
        whole = (kind.place, kind.name) in WHOLE
        places[f"{kind.place}_class" if whole else kind.place] = kind.code
    for place, depth in _DEPTHS.items():
        places[place] = textwrap.indent(places[place], " " * depth)
    for place in ("backend_class", "grader_class"):
        places[place] = textwrap.indent(places[place], "    ")
    (site / "bad_module.py").write_text(_MODULE.format(code=places.pop("import")), "utf-8", "surrogateescape")
    (site / "bad_parts.py").write_text(_PARTS.format(**places), "utf-8")


def _write_inputs(folder: Path) -> None:
    rows = []
    for number, (text, answer) in enumerate(ANSWERS.items()):
        said = [answer + (number % 2), answer, answer]
        texts = [f"{text} is \\boxed{{{value}}}" for value in said]
        rows.append({"id": f"p{number}", "problem": f"What is {text}?", "answer": str(answer), "candidates": texts})
    (folder / "candidates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for row in rows:
        del row["candidates"]
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _undisturbed(place: str) -> list[dict[str, Any]]:
    """What the same command gives where the plugin is good."""
    with _one_at_a_time:
        return _good(place)


_one_at_a_time = threading.Lock()


@cache
def _good(place: str) -> list[dict[str, Any]]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        ended = command(place, None, folder)
        assert ended.status == 0, ended
        json.loads(ended.out)
        return rows(folder / "out.jsonl")


def _judged(kind: Kind, ended: Ended, folder: Path) -> Found:
    if ended.status is None:
        return Found(hung=True)
    if ended.status not in (0, 1, 2, 3):
        return Found(wrong=f"the process died with {ended.status}: {ended.tail}")
    if ended.status and "Traceback" in ended.err:
        return Found(wrong=f"a traceback: {ended.tail}")
    told = ended.err
    if kind.harm == "refused":
        if ended.status == 0 or ended.out:
            return Found(wrong=f"not refused: {ended.tail}")
    else:
        try:
            table = json.loads(ended.out)
            found = rows(folder / "out.jsonl")
        except (ValueError, OSError) as error:
            return Found(wrong=f"status {ended.status}, {type(error).__name__}: {ended.out[:60]!r} {ended.tail}")
        told += "".join(f"{row['strategy']!r}: {row['error']}" for row in found if row["error"])
        if kind.place == "backend" and kind.harm == "fails" and (kind.place, kind.name) in WHOLE:
            answered = [row["problem_id"] for row in found if not row["error"]]
            wrong = f"answers on {answered}" if answered or not ended.status else ""
        else:
            wrong = _compared(kind, found, _undisturbed(kind.place), table)
        if wrong:
            return Found(wrong=f"{wrong} {ended.tail}")
    if not re.search(kind.wanted, told):
        return Found(wrong=f"no sentence names it: {ended.tail}")
    return Found()


def _compared(kind: Kind, found: list[dict[str, Any]], wanted: list[dict[str, Any]], table: dict[str, Any]) -> str:
    """What is wrong with the numbers, beside those that the plugin was to give itself."""
    if len(found) != len(wanted):
        return f"{len(found)} results, not {len(wanted)}"
    for one, other in zip(found, wanted, strict=True):
        own = kind.harm == "fails" and one["problem_id"] == "p2"
        own &= kind.place in ("backend", "extractor") or one["strategy"] in ("bad", "best_of_n")
        if kind.place == "grader" and kind.harm == "fails":
            one, other = ({n: v for n, v in row.items() if n not in ("correct", "n_correct")} for row in (one, other))
        if not own and one != other:
            changed = [name for name in other if one.get(name) != other[name]]
            return f"{one['strategy']} on {one['problem_id']}: {changed} {str(one.get(changed[0]))[:80]}"
    groups = table["strategies"]["majority"]["accuracy"]
    if kind.place != "grader" and (groups is None or groups["problems"] != 4):
        return f"the table counts {groups}"
    return ""
