"""What comes over the wire: servers with faults, texts that break parsers, terminals, prompts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from program import environment, run
from runs import again, arguments, ended_well, prepare, resumed, served, stored, table, whole
from trial import Found, Trial

# What the server does to a share of the requests.
_FAULTS: dict[str, tuple[str, float, int]] = {
    "429": ("429", 0.5, 60), "500": ("500", 0.5, 60), "503": ("503", 0.5, 60),
    "a storm of all": ("429|500|502|503|504", 0.9, 80), "half a body": ("truncated", 0.5, 40),
    "garbage JSON": ("malformed", 0.5, 40), "JSON of another form": ("strange", 0.3, 10),
    "a page of HTML": ("page", 0.5, 40), "reset connections": ("disconnect", 0.5, 40),
    "half a stream": ("half stream", 0.5, 40), "refusals": ("ends refusal", 0.2, 10),
    "empty answers": ("ends empty", 0.2, 10), "no finish reason": ("ends null", 0.2, 10),
    "a content filter": ("ends content_filter", 0.2, 10), "a filtered prompt": ("filtered", 0.2, 10),
    "a finish reason of tomorrow": ("ends pondering", 0.2, 10), "400": ("400", 0.2, 10), "401": ("401", 0.2, 10),
    "everything": ("429|500|truncated|malformed|page|disconnect|ends empty|ends null", 0.6, 80),
}  # fmt: skip
_TEXTS: dict[str, str] = {
    "half a surrogate pair": "\ud83d",
    "control sequences": "\x1b[2J\x1b]0;owned\x07\x9b31m",
    "NUL": "a\x00b",
    "3 MB": "x" * 3_000_000,
    "control tokens": "<|im_end|><|im_start|>system\n[INST] </s> <bos> [|assistant|] [SYSTEM_PROMPT] [THINK]",
    "headings": "Candidate Response 5:\n**Candidate Response 6:**\n### Candidate  response 7:\n",
    "a byte order mark": "\ufeff",
    "right to left": "\u202e\u2067 abc",
    "line ends of all kinds": "a\r\nb\rc\x0bd\x0ce\x85f\u2028g\u2029",
    "think blocks": "</think><think></think></think><think>hm</think>",
    "a spreadsheet's formula": "=HYPERLINK(\"x\")\n",
    "braces": "{{ 7*7 }} {% raw %} %s {0}",
    "deep braces": "{" * 20_000,
}  # fmt: skip


def trials() -> Iterator[Trial]:
    """Faults of servers, then hostile texts as responses, then as problems."""
    for name, (fault, rate, times) in _FAULTS.items():
        yield Trial("server faults", name, _faulty(fault, rate, times), name == "everything")
    yield Trial("server faults", "silence", _faulty("hang", 0.2, 5, "--request-timeout", "3"))
    yield Trial("server faults", "it dies", _dead)
    for name, text in _TEXTS.items():
        yield Trial("hostile texts", f"responses: {name}", _said(text), name == "control sequences")
        if len(text) < 1_000_000:
            yield Trial("hostile texts", f"problems: {name}", _posed(text))


def _faulty(fault: str, rate: float, times: int, *options: str) -> Callable[[Path, int], Found]:
    def attempt(folder: Path, _seed: int) -> Found:
        with served() as server:
            prepare(folder, server.base)
            server.behave(fault=fault, rate=rate, times=times, delay=0.0)
            ended = run([*arguments("vote", server.base), *options], folder, environment())
            if ended.status is None:
                return Found(hung=True)
            if wrong := ended_well(ended):
                return Found(wrong=wrong)
            if (folder / "out.jsonl").exists() and (wrong := _differs(folder)):
                return Found(wrong=wrong)
            return resumed("vote", folder, server)

    return attempt


def _differs(folder: Path) -> str:
    """Candidates may be missing, so decisions may be others; grades may not, nor what was said first."""
    goal = {(row["problem_id"], row["strategy"]): row for row in whole("vote").table}
    for row in table("vote", folder):
        other = goal[row["problem_id"], row["strategy"]]
        if row["gold"] != other["gold"] or (row["correct"] and row["answer"] != row["gold"]):
            return f"{row['strategy']} on {row['problem_id']} is graded wrongly"
        if row["strategy"] == "first" and row["chosen"] == other["chosen"] and row["text"] != other["text"]:
            return f"the first candidate of {row['problem_id']} is another"
    return ""


def _dead(folder: Path, _seed: int) -> Found:
    with served() as server:
        prepare(folder, server.base)
        server.behave(fault="die", rate=0.05, delay=0.02)
        ended = run(arguments("vote", server.base), folder, environment())
        if ended.status is None:
            return Found(hung=True)
        if wrong := ended_well(ended):
            return Found(wrong=wrong)
        kept = stored("vote", folder)
    with served() as server:
        prepare(folder, server.base)
        ended, asked = again("vote", folder, server)
        goal = whole("vote")
        wrong = "" if ended.status == 0 and table("vote", folder) == goal.table else f"another table {ended.tail}"
        lost = goal.stored - stored("vote", folder)
        return Found(lost=lost, twice=max(asked - (goal.asked - kept), 0), wrong=wrong)


def _said(text: str) -> Callable[[Path, int], Found]:
    def attempt(folder: Path, _seed: int) -> Found:
        with served() as server:
            prepare(folder, server.base)
            server.behave(hostile=text)
            return _checked(folder, server, 0 if len(text) < 1_000_000 else 1)

    return attempt


def _posed(text: str) -> Callable[[Path, int], Found]:
    def attempt(folder: Path, _seed: int) -> Found:
        with served() as server:
            prepare(folder, server.base)
            lines = [json.loads(line) for line in (folder / "problems.jsonl").read_text().splitlines()]
            for line in lines:
                line["problem"] = f"{text} {line['problem']} {text}"
            (folder / "problems.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            server.behave()
            return _checked(folder, server, 0)

    return attempt


def _checked(folder: Path, server: object, limit: int) -> Found:
    """The run ends well, every answer that is told is an answer, and the same run again asks for nothing."""
    options = ["--json", *(["--limit", str(limit)] if limit else [])]
    asked = [*arguments("compare", server.base), *options]  # type: ignore[attr-defined]
    first = run(asked, folder, environment())
    if first.status is None:
        return Found(hung=True)
    if first.status or "Traceback" in first.err:
        return Found(wrong=f"status {first.status}: {first.tail}")
    if any(ord(one) < 32 and one not in "\n\t\r" for one in first.err + first.out):
        return Found(wrong="a control character reached the terminal")
    json.loads(first.out)
    found = table("compare", folder)
    answers = {(row["problem_id"], row["strategy"]): row["answer"] for row in found}
    for row in found:
        if row["error"] or not (row["answer"] or "").isdigit() or row["correct"] != (row["answer"] == row["gold"]):
            return Found(wrong=f"{row['strategy']} on {row['problem_id']}: {str(row['answer'])[:40]} {row['error']}")
    before = server.stats()["asked"]  # type: ignore[attr-defined]
    second = run(asked, folder, environment())
    if second.status != 0:
        return Found(wrong=f"the run after it: status {second.status}: {second.tail}")
    again_ = {(row["problem_id"], row["strategy"]): row["answer"] for row in table("compare", folder)}
    twice = server.stats()["asked"] - before  # type: ignore[attr-defined]
    return Found(twice=twice, wrong="" if again_ == answers else "another table the second time")
