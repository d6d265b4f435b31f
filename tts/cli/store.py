"""`tts store`: what a store holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import click

from tts.cli import say, show_text
from tts.cli._json_line import write_json
from tts.cli._options import StorePlace, columns_option, join_option, on_error_option, output_option
from tts.cli._output import check_output, write_sets
from tts.cli._table import write_table
from tts.contracts.grader import extractor
from tts.engine.draws import stored_key
from tts.interop import FORMATS
from tts.prompts import direct_messages
from tts.rows.candidates import row_of
from tts.rows.makers import made_by, makers
from tts.sources.reading import read_candidate_sets
from tts.store.address import check_exists, shown_store
from tts.store.care import FIELDS, Checked, check_store, forget, repair_store
from tts.store.copy import copy_store
from tts.store.store import Store, StoredSet
from tts.vocabulary.errors import ConfigError, StoreError
from tts.vocabulary.records import Candidate, Completion, Message, Problem, Sampled, shown_model

ENDINGS = (".jsonl", ".parquet")
_NAMED_IN = 1000  # results that are looked at for the names of models
_place = click.argument("path", metavar="STORE", type=StorePlace())
_extractor = click.option(
    "--extractor", "extract", default="auto", show_default=True, metavar="NAME", help="Finds the answers."
)


@click.group()
def store() -> None:
    """Look into a store, a file or postgresql://…; export its candidate sets, import others."""


@contextmanager
def _existing(place: str | Path) -> Iterator[Store]:
    check_exists(place)
    with Store(place, read_only=True) as opened:
        yield opened


@store.command("list")
@_place
@click.option(
    "--limit", "-n", type=click.IntRange(min=0), default=50, show_default=True, help="Show only so many sets."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line per set, all of them.")
def list_sets(path: str | Path, limit: int, as_json: bool) -> None:
    """List the stored candidate sets."""
    with _existing(path) as opened:
        if as_json:
            for found in opened.sets():
                write_json(_head(found))
            return
        names = _names(opened)
        rows = [_line(found, names) for found in islice(opened.sets(), limit)]
        if rows:
            write_table(("key", "candidates", "problem", "answer", "model", "text"), rows)
        click.echo(", ".join(f"{count:,} {name}" for name, count in opened.counts().items()))


def _names(opened: Store) -> dict[str, str]:
    """What calls named the models that decided, by fingerprint; of a store of many results, the first ones tell."""
    names: dict[str, str] = {}
    with suppress(StoreError):  # a damaged one is for `tts store check` to tell
        for _, row in islice(opened.results(), _NAMED_IN):
            made = row.get("provenance", {})
            for role, name in made.get("named", {}).items():
                names.setdefault(made.get("models", {}).get(role, ""), name)
    return names


def _head(found: StoredSet) -> dict[str, Any]:
    return {
        "key": found.key,
        "id": found.problem.id,
        "problem": found.problem.text,
        "answer": found.answer,
        "policy": found.policy,
        "sampling": found.sampling.model_dump(mode="json") if found.sampling else None,
        "candidates": found.stored,
    }


def _line(found: StoredSet, names: Mapping[str, str]) -> tuple[object, ...]:
    text = " ".join(found.problem.text.split())
    return (
        found.key[:10],
        found.stored,
        _short(found.problem.id, 24),
        _short(found.answer or "", 16),
        _short(_made_by(found.problem, found.policy, names), 32),
        _short(text, 60),
    )


def _made_by(problem: Problem, policy: str, names: Mapping[str, str]) -> str:
    return made_by(problem, shown_model(names.get(policy, ""), policy))


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


@store.command()
@_place
@click.argument("key")
@_extractor
@click.option("--json", "as_json", is_flag=True, help="The set as one JSON object.")
def show(path: str | Path, key: str, extract: str, as_json: bool) -> None:
    """Show the candidate set whose key begins with KEY."""
    with _existing(path) as opened:
        found = _one(opened, key)
        sampled, kept = _load(opened, found, extract), opened.completions(found.key)
        names = _names(opened)
    if as_json:
        write_json(row_of(sampled))
        return
    candidates, answer = sampled
    shown = _made_by(candidates.problem, candidates.policy, names)
    own = makers(candidates.problem)
    show_text(f"{candidates.problem.text}\n\ngold answer: {answer}\nmodel: {shown}\nsampling: {candidates.sampling}")
    for one in candidates:
        tokens, end = one.usage.generated_tokens, f"{one.finish_reason}{_origin(kept[one.index])}"
        who = f" of {own[one.index]}" if one.index < len(own) and own[one.index] else ""
        show_text(f"\n--- candidate {one.index}{who}: answer {one.answer}, {tokens} tokens, {end}\n{one.text}")


def _origin(kept: Completion) -> str:
    """Where a completion came from, where that is known."""
    told = f" (system_fingerprint {kept.system_fingerprint})" if kept.system_fingerprint else ""
    return f", from {kept.server}{told}" if kept.server else ""


def _one(opened: Store, key: str) -> StoredSet:
    found = list(islice(opened.sets(key), 50))
    if len({one.key for one in found}) != 1:
        how = "no" if not found else "more than one"
        raise ConfigError(f"{how} stored set has a key that begins with {key!r}; see: tts store list {opened.name}")
    return found[0]


def _load(opened: Store, found: StoredSet, extract: str) -> Sampled:
    """A stored set; a prompt other than the default one travels in its metadata, so that an import finds its place."""
    candidates = opened.load(found, extractor(extract))
    sent = opened.messages(found.key)
    if sent != direct_messages(found.problem):
        request = [message.model_dump() for message in sent]
        problem = found.problem.model_copy(update={"metadata": {**found.problem.metadata, "request": request}})
        candidates = candidates.model_copy(update={"problem": problem})
    return Sampled(candidates, found.answer)


@store.command()
@_place
@output_option("The candidate sets", ENDINGS)
@_extractor
def export(path: str | Path, output: Path | None, extract: str) -> None:
    """Write all candidate sets as JSON lines, or to a .jsonl or .parquet file."""
    check_output(output, ENDINGS)
    with _existing(path) as opened:
        count = write_sets((_load(opened, found, extract) for found in opened.sets()), output)
    if output is not None:
        say(f"saved {count} candidate sets to {output}")


@store.command("import")
@_place
@click.argument("sets", metavar="FILE")
@on_error_option
@click.option("--format", "format_", type=click.Choice(list(FORMATS)), help="The tool that wrote it; else found out.")
@columns_option
@join_option
def import_sets(
    path: str | Path,
    sets: str,
    on_error: Literal["raise", "skip"],
    columns: dict[str, str] | None,
    format_: str | None,
    join: str | None,
) -> None:
    """Put the candidate sets of a FILE into a store, a new one if need be; what it has already is kept.

    FILE is one of this library's, or what another tool wrote: samples of lm-evaluation-harness (--log_samples), a log
    of inspect_ai, output-rs*.jsonl of NeMo-Skills (or their folder), details of lighteval, reviews of evalscope,
    results of verifiers, generations of verl, predictions of OpenCompass, results of reasoning-gym, a folder with a
    file for each problem.
    """
    source = read_candidate_sets(
        sets, columns=columns, on_error=on_error, extract=lambda _: None, format=format_, problems=join
    )
    count = 0
    with Store(path) as opened:
        for sampled in source:
            _put(opened, sampled)
            count += 1
    say(f"{count} candidate sets imported into {opened.name}")


def _put(opened: Store, sampled: Sampled) -> None:
    candidates = sampled.candidates
    metadata = dict(candidates.problem.metadata)
    request = metadata.pop("request", None)
    problem = candidates.problem.model_copy(update={"metadata": metadata})
    messages = direct_messages(problem) if request is None else tuple(Message(**message) for message in request)
    key = stored_key(opened, problem, "sample", candidates.policy, candidates.sampling, messages)
    opened.put_problem(problem, sampled.answer)
    opened.put_draw(key, problem, "sample", candidates.policy, candidates.sampling, messages)
    for one in candidates:
        if one.error is None and (completion := _completion(one)).whole:
            opened.put_completion(key, one.index, completion)


def _completion(one: Candidate) -> Completion:
    shared = Completion.model_fields.keys() & Candidate.model_fields.keys()
    return Completion.model_construct(**{name: getattr(one, name) for name in shared})


@store.command()
@click.argument("source", type=StorePlace())
@click.argument("target", type=StorePlace())
def copy(source: str | Path, target: str | Path) -> None:
    """Put all that SOURCE has into TARGET: between files and postgresql://…, either way.

    TARGET is made where there is none. What it has already stays, so the same again copies what came since, or what an
    interrupted copy has left out.
    """
    check_exists(source)
    rows, new, other = copy_store(source, target)
    told = ", ".join(f"{count:,} {table}" for table, count in rows.items())
    kept = f"; {other:,} that were there with other content stay as they were there" if other else ""
    say(f"{shown_store(target)} has all of {shown_store(source)}: {told}; {sum(new.values()):,} rows were new{kept}")


@store.command()
@_place
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check(path: str | Path, as_json: bool) -> None:
    """Compare every row with its checksum; exit status 1 where something is damaged. Nothing is written."""
    check_exists(path)
    found = check_store(path)
    if as_json:
        write_json(found._asdict() | {"damaged": [one._asdict() for one in found.damaged], "whole": found.whole})
    else:
        _tell(found, shown_store(path))
    if not found.whole:
        raise SystemExit(1)


def _tell(found: Checked, name: str) -> None:
    click.echo(", ".join(f"{count:,} {table}" for table, count in found.rows.items()) or "no rows")
    for said in found.file:
        show_text(f"file: {said}")
    for one in found.damaged:
        show_text(f"{one.table} {'/'.join(map(str, one.key))}: {one.why}")
    if found.unsummed:
        click.echo(f"{found.unsummed:,} rows of an earlier version have no checksum; `tts store repair` gives them one")
    verdict = "everything fits" if found.whole else f"damaged; `tts store repair {name}` takes out what is"
    click.echo(f"{name}: {verdict}")


@store.command()
@_place
def repair(path: str | Path) -> None:
    """Take out what is damaged, so that the next run asks for it again; a damaged file is kept under another name."""
    check_exists(path)
    done = repair_store(path)
    if done.checked.whole:
        say(f"{shown_store(path)}: nothing is damaged; {done.checked.unsummed:,} rows have got a checksum")
        return
    kept = sum(done.checked.rows.values()) - done.removed
    aside = f"; what could not be read is in {done.aside}" if done.aside else ""
    decisions = f" and {done.results:,} decisions made on them" if done.results else ""
    say(f"{shown_store(path)}: {kept:,} rows kept, {done.removed:,} damaged ones{decisions} taken out{aside}")


@store.command("forget", epilog=f"Fields: {', '.join(FIELDS)}.")
@_place
@click.option("--where", required=True, metavar="CONDITION", help="Such as 'finish=error or empty'.")
@click.option("--dry-run", is_flag=True, help="Only say how many it would be.")
def forget_rows(path: str | Path, where: str, dry_run: bool) -> None:
    """Delete completions, so that the next run asks for them again; decisions on their problems go with them.

    A CONDITION is FIELD=VALUE (!=, for numbers < <= > >=, for text ~ which is "contains"), or a field that is true or
    false, such as empty or truncated; joined by and, or, not and brackets.
    """
    check_exists(path)
    found = forget(path, where, dry_run=dry_run)
    if dry_run:
        say(f"{found.completions:,} of {found.of:,} completions are meant; nothing is deleted")
        return
    say(f"{found.completions:,} of {found.of:,} completions and {found.results:,} decisions are deleted")
