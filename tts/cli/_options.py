"""Options that several commands share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
from click.core import ParameterSource
from pydantic import TypeAdapter, ValidationError

from tts.answers.written import AnswerKind
from tts.cli._completion import complete_model, complete_problems, names_of
from tts.cli._quiet import quiet_option
from tts.cli._streams import prints_aside
from tts.contracts.strategy import Strategy, strategy, strategy_class
from tts.registry.instance import build
from tts.store.address import is_server
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.records import Sampling

Command = TypeVar("Command", bound=Callable[..., None])
Pairs = tuple[tuple[str, str], ...]


class StorePlace(click.ParamType[Any]):
    """A store: its file, or the URL of a database as it is."""

    name = "store"
    _path = click.Path(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path of a file, the text of a URL."""
        return value if is_server(value) else self._path.convert(value, param, ctx)


class RunPlace(StorePlace):
    """A store, or another file or folder of a run."""

    name = "run"
    _path = click.Path(path_type=Path)


class _NameValue(click.ParamType[Any]):
    """`name=value`, or several of them between commas where `many`."""

    name = "name=value"

    def __init__(self, *, many: bool = False) -> None:
        self._many = many

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The pair; the mapping where `many`."""
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in (value.split(",") if self._many else [value])]
        for name, equals, _ in pairs:
            if not equals or not name.strip():
                self.fail(f"{value!r} is not {'name=value,name=value' if self._many else 'name=value'}", param, ctx)
        split = [(name.strip(), text.strip()) for name, _, text in pairs]
        return dict(split) if self._many else split[0]


def _stack(options: Sequence[Callable[[Any], Any]], function: Any) -> Any:
    for option in reversed(options):
        function = option(function)
    return function


columns_option = click.option(
    "--columns",
    type=_NameValue(many=True),
    metavar="ROLE=NAME,...",
    help="What the source calls id, problem, answer, candidates, completion_tokens, as in problem=question,id=nr.",
)
on_error_option = click.option(
    "--on-error",
    type=click.Choice(["raise", "skip"]),
    default="raise",
    show_default=True,
    help="What to do with a row that cannot be read.",
)
join_option = click.option(
    "--join", metavar="SOURCE", help="Where the problems are, if not in FILE: task:NAME, a file."
)
_SOURCE = (
    click.argument("problems", required=False, shell_complete=complete_problems),
    columns_option,
    click.option("--limit", "-n", type=click.IntRange(min=1), help="Read only so many."),
    on_error_option,
)


_DATA_DIR = click.option(
    "--data-dir", metavar="PATH", help="Read task:NAME from a local copy, a file or the folder it is in, not the hub."
)


def source_options(function: Command) -> Command:
    """The problems argument and how to read it: `problems`, `columns`, `limit`, `on_error`."""

    @wraps(function)
    def placed(problems: str | None, data_dir: str | None, **given: Any) -> None:
        function(problems=problems if data_dir is None else _local(problems, data_dir), **given)

    return _stack((*_SOURCE, _DATA_DIR), placed)  # type: ignore[no-any-return]


def _local(problems: str | None, data_dir: str) -> str:
    if problems is None or not problems.startswith("task:"):
        raise ConfigError(f"--data-dir is for published tasks such as task:math500, not for {problems or 'none'!r}")
    if "," in data_dir:
        raise ConfigError(f"--data-dir {data_dir!r} has a comma; rename the folder")
    return f"{problems}{',' if '@' in problems else '@'}data_dir={data_dir}"


class _FromEnvironment(click.Option):
    """An option whose value may stand in the environment: TTS_MODEL for --model."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        if not self.is_flag and not self.multiple:
            self.envvar = f"TTS_{self.opts[0].lstrip('-').replace('-', '_').upper()}"

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Click's own, with the variable where the value is from there."""
        hint = super().get_error_hint(ctx)
        told = ctx is not None and self.name is not None and ctx.get_parameter_source(self.name)
        given = os.environ.get(str(self.envvar)) if not told or told is ParameterSource.ENVIRONMENT else None
        return f"{hint} (from {self.envvar})" if given else hint


_option = partial(click.option, cls=_FromEnvironment)


_SAMPLING = (
    _option("--temperature", type=float, help="0.6 by default."),
    _option("--top-p", type=float, help="0.95 by default."),
    _option("--top-k", type=int, help="Off by default."),
    _option("--max-tokens", type=int, help="New tokens of a response at most."),
    _option("--stop", multiple=True, metavar="TEXT", help="End a response here; may be given again."),
    _option("--thinking/--no-thinking", default=None, help="Ask the chat template for thinking, or for none."),
)
_ENGINE = (
    _option(
        "--model",
        "-m",
        metavar="BACKEND:MODEL",
        shell_complete=complete_model,
        help="The policy, e.g. vllm:Qwen/Qwen2.5-7B-Instruct, or @NAME of tts.toml (`tts models`).",
    ),
    _option("--scorer", metavar="SCORER:MODEL", help="The reward model."),
    _option("--judge", metavar="FORMAT:BACKEND:MODEL", help="The pairwise judge."),
    _option("--synthesizer", metavar="BACKEND:MODEL", help="The model that writes from all candidates."),
    _option(
        "--store", type=StorePlace(), metavar="FILE|URL", help="Keep what is sampled; resume.  URL: postgresql://…"
    ),
    _option("--seed", type=int, help="Seed of the run."),
    _option("--concurrency", type=click.IntRange(min=1), help="Completions a model works on at once."),
    _option("--timeout", type=float, metavar="SECONDS", help="Stop a strategy idle for so long; 60 by default."),
    _option(
        "--request-timeout",
        type=float,
        metavar="SECONDS",
        help="End what is asked of a model, in any role, that has been silent for so long; by default 600, and 3600 "
        "for a backend that cannot tell whether it is at work.",
    ),
    _option("--deadline", type=float, metavar="SECONDS", help="Answer each problem within so long."),
    _option("--quorum", type=click.IntRange(min=1), metavar="N", help="Go on with so many candidates ..."),
    _option("--grace", type=float, metavar="SECONDS", help="... so long after they are there."),
    _option("--budget", type=click.IntRange(min=1), metavar="TOKENS", help="End when so many tokens are spent."),
    _option(
        "--problem-budget", type=click.IntRange(min=1), metavar="TOKENS", help="The same for each problem by itself."
    ),
    _option(
        "--max-cost",
        type=click.FloatRange(min=0, min_open=True),
        metavar="MONEY",
        help="End when so much money is spent, by --prices.",
    ),
    _option("--prices", type=click.Path(path_type=Path), help="A .toml or .json file of prices per million tokens."),
    _option(
        "--answers",
        type=click.Choice(get_args(AnswerKind)),
        help="What is asked for: one word for prompt, extractor, equality and grader; `auto` finds it out and says so.",
    ),
    _option(
        "--template", "direct_template", metavar="FILE", help="The prompt for a solution, in Jinja: {{ problem }}."
    ),
    _option("--system", metavar="TEXT", help="A system prompt for the policy."),
    _option(
        "--extractor", metavar="NAME", help="What finds the final answer in a response; or FILE.py:function."
    ),
    _option("--ray", "executor", flag_value="ray", help="Run the models in actors of a Ray cluster."),
)  # fmt: skip
_GRADER = click.option(
    "--grader", metavar="NAME", help="What compares answers with the gold answer; or FILE.py:function."
)


def _tags(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, str] | None:  # noqa: ARG001 - click's
    """The two tags between commas."""
    if value is None:
        return None
    opening, comma, closing = value.partition(",")
    if not comma or not opening.strip() or not closing.strip() or "," in closing:
        raise click.BadParameter(
            f"{value!r} is not OPEN,CLOSE: give the two tags around the thinking, as in '[T],[/T]'"
        )
    return opening.strip(), closing.strip()


think_option = click.option(
    "--think", callback=_tags, metavar="OPEN,CLOSE", help="Tags around the thinking in a file; else recognised."
)


def engine_options(function: Command) -> Command:
    """Models, sampling, store and limits, as one argument `engine`: keyword arguments of the library's functions."""

    @wraps(function)
    def collected(**given: Any) -> None:
        sampling = _taken(given, _SAMPLING)
        engine = _taken(given, _ENGINE)
        if sampling:
            engine["sampling"] = build("sampling", Sampling, sampling)
        engine["progress"] = False  # commands show their own
        function(engine=engine, **given)

    return _stack((*_ENGINE, *_SAMPLING, quiet_option), collected)  # type: ignore[no-any-return]


def stored_answers_options(function: Command) -> Command:
    """How the answers in a store are read: `answers`, `grader`, `extractor`, `None` where they are not given."""
    kinds = [kind for kind in get_args(AnswerKind) if kind != "auto"]
    return _stack(  # type: ignore[no-any-return]
        (
            _option(
                "--answers", type=click.Choice(kinds), help="What was asked for, as the run was told.  [default: math]"
            ),
            _option("--grader", metavar="NAME", help="Compares answers with the gold."),
            _option("--extractor", metavar="NAME", help="Finds the candidates' answers."),
        ),
        function,
    )


def grader_option(function: Command) -> Command:
    """`--grader`, which goes to the library as it is."""
    return _GRADER(function)


def _taken(given: dict[str, Any], options: Sequence[Callable[[Any], Any]]) -> dict[str, Any]:
    """What was given of some options; what was not is left to the library's own defaults."""
    probe = _stack(options, lambda: None)
    names = [parameter.name for parameter in probe.__click_params__]
    values = {name: given.pop(name) for name in names}
    return {name: value for name, value in values.items() if value not in (None, ())}


def output_option(what: str, endings: Sequence[str]) -> Callable[[Command], Command]:
    """`-o`, in `output`."""
    return click.option(
        "--output",
        "-o",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help=f"{what}, by ending: {', '.join(endings)}.",
    )


title_option = click.option("--title", default="", metavar="TEXT", help="Stands at the top of the report.")


def report_option(function: Command) -> Command:
    """`--report` and `--title`; a report that could not be written there is refused before anything is spent."""

    def checked(_ctx: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
        from tts.report.writer import check_target

        if path is not None:
            check_target(path)
        return path

    text = "Write a report, by ending: .html, .md, .tex; a name without ending is a folder with everything."
    kind = click.Path(path_type=Path)
    return title_option(click.option("--report", type=kind, metavar="FILE", callback=checked, help=text)(function))


def one_strategy_option(function: Command) -> Command:
    """`-s`, one strategy."""
    return click.option(
        "--strategy",
        "-s",
        default="gsr",
        show_default=True,
        metavar="NAME",
        shell_complete=names_of("strategy"),
        help="Or FILE.py:CLASS.",
    )(function)


def by_option(function: Command) -> Command:
    """`--by`, in `by`: columns by which accuracies and gaps are shown apart."""
    return click.option(
        "--by",
        multiple=True,
        metavar="COLUMN",
        help="Accuracy and gaps apart by a column of the problems, such as level, or difficulty; may be repeated.",
    )(function)


def k_option(default: int = 4) -> Callable[[Command], Command]:
    """`-k`."""
    return click.option(
        "-k", type=click.IntRange(min=1), default=default, show_default=True, help="Candidates per problem."
    )


def strategy_option(defaults: str, where: str = "Or FILE.py:CLASS; may") -> Callable[[Command], Command]:
    """`-s`, several of them between commas, in `names`."""
    return click.option(
        "--strategy",
        "-s",
        "names",
        multiple=True,
        shell_complete=names_of("strategy", many=True),
        metavar="NAME[,NAME...]",
        help=f"{where} be given again.  [default: {defaults}]",
    )


def strategies_named(names: Sequence[str], parameters: Pairs) -> list[Strategy]:
    """What `-s` says, each once."""
    return strategies_of(list(dict.fromkeys(",".join(names).split(","))), parameters)


def parameter_option(function: Command) -> Command:
    """`-p name=value`, as pairs in `parameters`."""
    return click.option(
        "-p",
        "--param",
        "parameters",
        type=_NameValue(),
        multiple=True,
        metavar="NAME=VALUE",
        help="A strategy's parameter (`tts plugins STRATEGY` lists them); STRATEGY.NAME=VALUE where there are several.",
    )(function)


def strategies_of(names: Sequence[str], parameters: Pairs) -> list[Strategy]:
    """The strategies with their parameters.

    Raises `ConfigError` for a parameter that belongs to none of them.
    """
    if len(names) == 1 and "," in names[0]:
        raise ConfigError(f"-s {names[0]!r} names several strategies; this takes one, `tts compare` takes several")
    own: dict[str, dict[str, str]] = {name: {} for name in names}
    for key, text in parameters:
        owner, dot, field = key.rpartition(".")
        if dot and owner not in own:
            raise ConfigError(f"-p {key}={text}: {owner!r} is not one of the strategies {', '.join(names)}")
        if not dot and len(own) > 1:
            raise ConfigError(f"-p {key}={text}: say whose it is, e.g. -p {names[0]}.{key}={text}")
        own[owner or names[0]][field] = text
    with prints_aside():  # a file of the user's is imported
        return [_strategy(name, texts) for name, texts in own.items()]


def _strategy(name: str, texts: Mapping[str, str]) -> Strategy:
    cls = strategy_class(name)
    if not (isinstance(cls, type) and issubclass(cls, Strategy)):
        return strategy(name)  # which says what is wrong with it
    return strategy(cls, **{field: _value(cls, field, text) for field, text in texts.items()})


def _value(cls: type[Strategy], field: str, text: str) -> Any:
    """Text as the field takes it: `none` where it may be none, as it is, else as JSON (`[1,2]`)."""
    declared = cls.model_fields.get(field)
    if declared is None:
        return text
    annotation: Any = declared.annotation
    if text == "none" and type(None) in get_args(annotation):
        return None
    try:
        TypeAdapter(annotation).validate_python(text)
    except ValidationError:
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    return text
