"""Recomputes the numbers of a report.json that `tts eval` wrote, from its raw rows, without any code of `tts`.

    python benchmarks/recompute.py runs/demo
    python benchmarks/recompute.py runs/demo --candidates candidates.jsonl

Raw are `results.jsonl` (a row for each group and strategy) and the candidates: those in the folder's `store.db`, or a
file with rows {id, candidates, usage}. Candidates are graded anew by a grader of ten lines, the last box against the
gold answer as text or number, and what `results.jsonl` says of N_c and of decisions is held against that. Methods are
those that docs/evaluation.md describes. Prints each number as printed and as recomputed, then which numbers of the
report it does not recompute; the status is 1 where two disagree, 2 where the folder cannot be read.
"""

from __future__ import annotations

import argparse
import json
import math
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

NODES = np.polynomial.legendre.leggauss(200)
CLOSE = 1e-6  # relative or absolute: another way to the quantile of t, and sums in another order
Observed = list[tuple[str, float]]  # problem, value


class Group(NamedTuple):
    """One group of k candidates: whether each is right, its tokens, what each strategy made of it."""

    problem: str
    right: list[bool]
    tokens: list[int]
    rows: dict[str, dict[str, Any]]


class Run(NamedTuple):
    """A folder: its report, groups, the classes and grades of all candidates of each problem."""

    report: dict[str, Any]
    groups: list[Group]
    sets: dict[str, list[tuple[str | None, bool]]]


# Answers


def boxed(text: str) -> str | None:
    """What is in the last box, braces balanced, without blanks and commas; a number in its shortest form."""
    start, depth = text.rfind("\\boxed{"), 0
    for place in range(start + 6, len(text)) if start >= 0 else ():
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return plain(text[start + 7 : place])
    return None


def plain(answer: str) -> str:
    """An answer without blanks, commas and dollars; a number in its shortest form."""
    short = answer.replace(" ", "").replace(",", "").strip("$")
    try:
        return str(Fraction(short))
    except (ValueError, ZeroDivisionError):
        return short


def stored(path: Path) -> dict[str, list[tuple[str, int]]]:
    """Summary and generated tokens of each problem's candidates in a store."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as store:
        draws = store.execute("SELECT problem, key FROM draws WHERE role = 'sample'").fetchall()
        if len({problem for problem, _ in draws}) < len(draws):
            raise SystemExit("the store has candidates of several samplings; give those of the report: --candidates")
        found: dict[str, list[tuple[str, int]]] = {}
        for problem, key in draws:
            told = store.execute("SELECT completion FROM completions WHERE draw = ? ORDER BY idx", (key,))
            found[problem] = [summary(json.loads(one)) for (one,) in told]
    return found


def summary(completion: dict[str, Any]) -> tuple[str, int]:
    """What is said outside thinking, and the tokens of both."""
    start, end = completion.get("summary") or (0, len(completion["text"]))
    usage = completion.get("usage") or [0] * 7  # calls, prompt, cached, thinking, answer, estimated, seconds
    return completion["text"][start:end], usage[3] + usage[4]


def listed(path: Path, digests: Mapping[str, str]) -> dict[str, list[tuple[str, int]]]:
    """The same from rows of {id, candidates}, each a text or {text, summary, usage}."""
    found: dict[str, list[tuple[str, int]]] = {}
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        every: list[dict[str, Any]] = [{"text": one} if isinstance(one, str) else one for one in row["candidates"]]
        counts = [one.get("usage") or {} for one in every]
        tokens = [one.get("thinking_tokens", 0) + one.get("answer_tokens", 0) for one in counts]
        texts = [str(one.get("summary") or one["text"]).rpartition("</think>")[2] for one in every]
        if row["id"] in digests:
            found[digests[row["id"]]] = list(zip(texts, tokens, strict=True))
    return found


def read(folder: Path, candidates: Path | None) -> Run:
    """A folder of `tts eval`, its candidates put into groups of k neighbours."""
    report = json.loads((folder / "report.json").read_text("utf-8"))
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]
    if report["protocol"].get("balanced") or report["missing"]["candidates_missing"]:
        raise SystemExit("candidates of balanced groups, or with some missing, cannot be put into groups from outside")
    digests = {row["problem_id"]: row["problem_digest"] for row in rows}
    if len(digests) > len(set(digests.values())):
        raise SystemExit("problems of one text under several ids share their candidates; this reads one id a text")
    texts = stored(folder / "store.db") if candidates is None else listed(candidates, digests)
    if lost := set(digests.values()) - texts.keys():
        raise SystemExit(f"no candidates of {len(lost)} of {len(digests)} problems; give them: --candidates FILE")
    found: dict[tuple[str, int], dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in rows:
        found[row["problem_digest"], row["group"]][row["strategy"]] = row
    groups, sets, k = [], defaultdict[str, list[tuple[str | None, bool]]](list), report["k"]
    for (digest, number), own in sorted(found.items()):
        gold = plain(next(iter(own.values()))["gold"])
        chosen = texts[digest][number * k : (number + 1) * k]
        graded = [(answer := boxed(text), answer == gold) for text, _ in chosen]
        sets[digest] += graded
        groups.append(Group(digest, [right for _, right in graded], [tokens for _, tokens in chosen], own))
    return Run(report, groups, dict(sets))


# Intervals, by docs/evaluation.md


def t_tail(t: float, df: int) -> float:
    """The chance of a value as far from 0, by quadrature of Student's density."""
    nodes, weights = NODES
    x = abs(t) * (nodes + 1) / 2
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    inside = float(np.sum(weights * np.exp(-(df + 1) / 2 * np.log1p(x * x / df))) * abs(t) / 2)
    return max(0.0, 1 - 2 * scale * inside)


@cache
def t_factor(tail: float, df: int) -> float:
    """The value that is exceeded, on either side, with this chance, by halving."""
    low, high = 0.0, 1.0
    while t_tail(high, df) > tail:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, df) > tail else (low, middle)
    return high


def deviations(observed: Observed) -> tuple[float, np.ndarray[Any, Any]]:
    """The mean of all, and each problem's deviation from it, weighed by how many observations it has."""
    places = {name: place for place, name in enumerate(sorted({name for name, _ in observed}))}
    sums, counts = np.zeros(len(places)), np.zeros(len(places))
    for name, value in observed:
        sums[places[name]] += value
        counts[places[name]] += 1
    mean = float(sums.sum() / counts.sum())
    return mean, (sums - mean * counts) / counts.mean()


def share(observed: Observed) -> dict[str, Any]:
    """A share with Agresti and Coull's interval, for as many trials as the problems are worth."""
    mean, off = deviations(observed)
    m, alone, z = len(off), mean * (1 - mean), 1.959963984540054
    trials = alone * m**2 / (float(off @ off) + alone) if alone > 1e-12 else m
    centre = (trials * mean + z * z / 2) / (trials + z * z)
    half = z * math.sqrt(centre * (1 - centre) / (trials + z * z))
    bounds = [min(max(centre - half, 0.0), mean), max(min(centre + half, 1.0), mean)]
    return told(mean, bounds if m > 1 else None, m, len(observed))


def amount(observed: Observed) -> dict[str, Any]:
    """A mean without bounds, with Student's t over problems."""
    mean, off = deviations(observed)
    m, squares = len(off), float(off @ off)
    half = t_factor(0.05, m - 1) * math.sqrt(squares / (m * (m - 1))) if m > 1 and squares else None
    return told(mean, None if half is None else [mean - half, mean + half], m, len(observed))


def error_of(observed: Observed) -> tuple[float, float, int]:
    """The mean of paired differences and its error, with two more problems that differ (three below twelve)."""
    mean, off = deviations(observed)
    values = mean + off
    differing = values[np.abs(values) > 1e-12]
    step = float(np.mean(differing**2)) if len(differing) else 1.0
    m = len(off)
    squares = float(off @ off) + (2 if m >= 12 else 3) * step
    return mean, math.sqrt(squares / (m * (m - 1))) if m > 1 else math.inf, m


def gap(observed: Observed, asked: int = 1) -> dict[str, Any]:
    """A paired difference with its interval; of several asked for together by Bonferroni."""
    mean, error, m = error_of(observed)
    half = t_factor(0.05 / asked, m - 1) * error if m > 1 else math.inf
    return told(mean, [max(mean - half, -1.0), min(mean + half, 1.0)] if m > 1 else None, m, len(observed))


def told(mean: float, interval: list[float] | None, problems: int, n: int) -> dict[str, Any]:
    """An estimate as a report has it."""
    return {"mean": mean, "interval": interval, "problems": problems, "n": n}


# Curves: subsets of k of the n candidates of a problem


def pass_at(rights: int, n: int, k: int) -> float:
    """1 − C(n − c, k) / C(n, k)."""
    return 1 - math.comb(n - rights, k) / math.comb(n, k)


def g_pass_at(rights: int, n: int, k: int, tau: float) -> float:
    """How many subsets of k have τ k right ones or more."""
    least = max(1, math.ceil(tau * k - 1e-9))
    ways = sum(math.comb(rights, j) * math.comb(n - rights, k - j) for j in range(least, k + 1))
    return ways / math.comb(n, k)


def majority_at(candidates: Sequence[tuple[str | None, bool]], most: int) -> list[float]:
    """A vote of k = 1 … most: every way to take so many of each class, ties averaged; no answer is no vote."""
    counts: dict[str | None, int] = defaultdict(int)
    for answer, _ in candidates:
        counts[answer] += 1
    silent, right = counts.pop(None, 0), {answer for answer, good in candidates if good}
    names, totals = list(counts), [Fraction(0)] * (len(candidates) + 1)
    for taken in product(*(range(counts[name] + 1) for name in names)):
        best = max(taken, default=0)
        leaders = [name for name, votes in zip(names, taken, strict=True) if votes == best > 0]
        if not (won := sum(name in right for name in leaders)):
            continue
        ways = math.prod(math.comb(counts[name], votes) for name, votes in zip(names, taken, strict=True))
        for rest in range(silent + 1):
            totals[sum(taken) + rest] += Fraction(ways * math.comb(silent, rest) * won, len(leaders))
    return [float(totals[k] / math.comb(len(candidates), k)) for k in range(1, most + 1)]


# What a report says, anew


def recompute(run: Run) -> dict[str, Any]:
    """As much of the report as is recomputed, in its shape."""
    report, groups, k = run.report, run.groups, run.report["k"]
    singles = [(name, float(np.mean([right for _, right in own]))) for name, own in run.sets.items()]
    found: dict[str, Any] = {
        "groups": len(groups),
        "problems": len(run.sets),
        "pass@1": share(singles),
        f"pass@{k}": share([(one.problem, float(any(one.right))) for one in groups]),
        "candidate_outcomes": {"correct": sum(right for own in run.sets.values() for _, right in own)},
        "strategies": {label: of_strategy(run, label) for label in report["strategies"]},
        "curves": curves_of(run) if report["curves"] else {},
        "lengths": {label: lengths_of(run, label) for label in report["lengths"]},
        "calibration": {label: one for label in report["calibration"] if (one := confidence_of(run, label))},
    }
    for label, own in found["strategies"].items():
        if report["strategies"][label].get("unbiased") and (name := curve_of(run, label)):
            own["unbiased"] = found["curves"][name]["points"]["1" if label == "first" else str(k)]
    if report["curves"]:
        sizes = [(name, sum(right for _, right in own), len(own)) for name, own in run.sets.items()]
        found["g_pass"] = {
            tau: share([(name, g_pass_at(c, n, k, float(tau))) for name, c, n in sizes]) for tau in report["g_pass"]
        }
    if report["estimator"] == "groups":
        found |= {"pairs": pairs_of(run), "rescue": {label: rescue_of(run, label) for label in report["rescue"]}}
    found["frontier"] = [
        {"strategy": one["strategy"], "accuracy": found["strategies"][one["strategy"]]["accuracy"]["mean"]}
        | {name: mean_of(run, one["strategy"], f"{name}_tokens") for name in ("generated", "prompt")}
        for one in report["frontier"]
    ]
    return found


def decided(run: Run, label: str) -> list[tuple[Group, float]]:
    """Groups with the share of a strategy's outputs that are right, where there is a decision."""
    return [(one, one.rows[label]["correct"]) for one in run.groups if one.rows[label]["correct"] is not None]


def of_strategy(run: Run, label: str) -> dict[str, Any]:
    """Accuracy, N_c, Refinement Gap, tokens."""
    shares, baseline, report = decided(run, label), run.report["baseline"], run.report["strategies"][label]
    if not shares:
        return {"accuracy": None}
    by: dict[int, Observed] = defaultdict(list)
    for one, value in shares:
        by[sum(one.right)].append((one.problem, value))
    found: dict[str, Any] = {"accuracy": share([(one.problem, value) for one, value in shares])}
    if run.report["estimator"] == "groups":
        found["by_n_correct"] = {str(n): share(own) for n, own in by.items()}
        if report["gap_to_majority"] is not None:
            found["gap_to_majority"] = gap(differences(run, label, baseline))
    usage = report["usage"]
    tokens = sum(one.rows[label]["generated_tokens"] for one in run.groups)
    found["usage"] = {"prompt_tokens": sum(one.rows[label]["prompt_tokens"] for one in run.groups)}
    return found | {"usage": found["usage"] | {"answer_tokens": tokens - usage["thinking_tokens"]}}


def differences(run: Run, ours: str, theirs: str) -> Observed:
    """What both decided, one minus the other."""
    return [
        (one.problem, value - one.rows[theirs]["correct"])
        for one, value in decided(run, ours)
        if one.rows[theirs]["correct"] is not None
    ]


def pairs_of(run: Run) -> list[dict[str, Any]]:
    """Every two strategies, judged together."""
    names = [label for label in run.report["strategies"] if decided(run, label)]
    every = [(a, b, own) for a, b in combinations(names, 2) if (own := differences(run, a, b))]
    return [pair(a, b, own, len(every)) for a, b, own in every]


def pair(a: str, b: str, own: Observed, asked: int) -> dict[str, Any]:
    """One pair among so many."""
    mean, error, m = error_of(own)
    totals: dict[str, float] = defaultdict(float)
    for name, value in own:
        totals[name] += value
    among, p = gap(own, asked), t_tail(mean / error, m - 1) if m > 1 else 1.0
    low, high = among["interval"] or (-1, 1)
    return {
        "a": a,
        "b": b,
        "difference": gap(own),
        "more": sum(total > 1e-12 for total in totals.values()),
        "fewer": sum(total < -1e-12 for total in totals.values()),
        "p": p,
        "adjusted": min(1.0, asked * p),
        "verdict": "better" if low > 0 else "worse" if high < 0 else "cannot tell",
        "among": among,
        "pairs": asked,
    }


def rescue_of(run: Run, label: str) -> dict[str, Any]:
    """Both right, rescued, harmed, neither; against the majority, and the best candidate."""
    found = {}
    for name in run.report["rescue"][label]:
        cells: dict[str, Observed] = {"both": [], "rescued": [], "harmed": [], "neither": []}
        for one, ours in decided(run, label):
            theirs = float(any(one.right)) if name == "best candidate" else one.rows[run.report["baseline"]]["correct"]
            if theirs is None:
                continue
            parts = (ours * theirs, ours * (1 - theirs), (1 - ours) * theirs, (1 - ours) * (1 - theirs))
            for cell, part in zip(cells.values(), parts, strict=True):
                cell.append((one.problem, part))
        found[name] = {cell: share(own) for cell, own in cells.items()}
    return found


def curve_of(run: Run, label: str) -> str | None:
    """The curve that says what a strategy does, of those that are recomputed."""
    return "pass@k" if label == "first" else "maj@k" if label == run.report["baseline"] else None


def curves_of(run: Run) -> dict[str, Any]:
    """pass@k and maj@k for k up to what the problem with the fewest candidates has."""
    most = min(map(len, run.sets.values()))
    ks = range(1, most + 1)
    votes = {name: majority_at(own, most) for name, own in run.sets.items()}
    passes = {
        name: [pass_at(sum(right for _, right in own), len(own), k) for k in ks] for name, own in run.sets.items()
    }
    return {
        curve: {"points": {str(k): share([(name, own[k - 1]) for name, own in values.items()]) for k in ks}}
        for curve, values in (("pass@k", passes), ("maj@k", votes))
    }


def lengths_of(run: Run, label: str) -> dict[str, Any]:
    """Tokens of a candidate; of an output too, where one model wrote all and the protocol says how many outputs."""
    direct = amount([(one.problem, float(tokens)) for one in run.groups for tokens in one.tokens])
    outputs = run.report["protocol"]["strategies"][label].get("outputs")
    if outputs is None or set(run.report["costs"][label]) != {"policy"} or len(decided(run, label)) < len(run.groups):
        return {"direct": direct}
    own = [(one.problem, (one.rows[label]["generated_tokens"] - sum(one.tokens)) / outputs) for one in run.groups]
    written = amount([(name, value) for name, value in own if value])
    return {"direct": direct, "written": written, "reduction": 1 - written["mean"] / direct["mean"]}


def confidence_of(run: Run, label: str) -> dict[str, Any] | None:
    """Confidence minus accuracy, and its squared distance; for strategies with one output a group."""
    own = [(one, value, one.rows[label]["confidence"]) for one, value in decided(run, label)]
    several = (run.report["protocol"]["strategies"][label].get("outputs") or 1) > 1
    if several or run.report["calibration"][label] is None or any(sure is None for *_, sure in own):
        return None
    return {
        "confidence_minus_accuracy": gap([(one.problem, sure - value) for one, value, sure in own]),
        "brier": share([(one.problem, (sure - value) ** 2) for one, value, sure in own]),
    }


def mean_of(run: Run, label: str, name: str) -> float:
    """Mean of a column over groups."""
    return float(np.mean([one.rows[label][name] for one in run.groups]))


# Side by side


def flat(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every leaf of nested lists and mappings, with its place."""
    if isinstance(value, Mapping | list):
        items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, one in items:
            yield from flat(one, (*path, str(name)))
    else:
        yield path, value


def grades(run: Run) -> list[tuple[str, Any, Any]]:
    """What results.jsonl says of candidates and decisions, against grades of the last box and of the answers."""
    rows = [(one, row) for one in run.groups for row in one.rows.values()]
    one_output = [(one, row) for one, row in rows if row["correct"] in (0, 1)]  # of several outputs all are alike
    same = sum((plain(row["answer"] or "") == plain(row["gold"])) == bool(row["correct"]) for _, row in one_output)
    return [
        ("results.jsonl, rows by N_c", len(rows), sum(row["n_correct"] == sum(one.right) for one, row in rows)),
        ("results.jsonl, graded answers", len(one_output), same),
    ]


def equal(printed: Any, ours: Any) -> bool:
    """Whether two leaves are the same, numbers up to rounding."""
    if isinstance(printed, int | float) and isinstance(ours, int | float):
        return math.isclose(printed, ours, rel_tol=CLOSE, abs_tol=CLOSE)
    return bool(printed == ours)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; the status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--candidates", type=Path, help="rows of {id, candidates}, in place of the folder's store")
    asked = parser.parse_args(arguments)
    try:
        run = read(asked.folder, asked.candidates)
    except (OSError, sqlite3.Error, KeyError, ValueError) as error:
        print(f"{asked.folder} cannot be read as a folder of `tts eval`: {error!r}", file=sys.stderr)
        return 2
    printed, ours = dict(flat(run.report)), dict(flat(recompute(run)))
    compared = [(" / ".join(path), printed.get(path, "not there"), value) for path, value in ours.items()]
    lines = [*grades(run), *compared]
    wrong = sum(not equal(a, b) for _, a, b in lines)
    print("number | printed | recomputed | equal")
    for name, a, b in lines:
        print(f"{name} | {a} | {b} | {'yes' if equal(a, b) else 'NO'}")
    rest = [path for path, value in printed.items() if path not in ours and type(value) in (int, float)]
    kinds: dict[str, int] = defaultdict(int)
    for path in rest:
        if path[0] != "protocol":
            kinds[" / ".join((path[0], *(["…", path[2]] if path[0] == "strategies" else path[2:3])))] += 1
    print(f"\n{len(lines)} compared, {wrong} of them not equal. Numbers of the report that are not recomputed:")
    print("\n".join(f"  {name}: {count}" for name, count in sorted(kinds.items())) or "  none")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
