"""A plugin as a stranger would publish it: a strategy, a scorer, a backend, a task, a command, a section of reports."""

from __future__ import annotations

import tts


@tts.hookimpl
def tts_strategies() -> list[tts.Entry]:
    return [tts.Entry(name="shortest", target="tts_stranger.strategy:Shortest", summary="the shortest response")]


@tts.hookimpl
def tts_scorers() -> list[tts.Entry]:
    return [tts.Entry(name="brevity", target="tts_stranger.scorer:Brevity", summary="fewer words are better")]


@tts.hookimpl
def tts_backends() -> list[tts.Entry]:
    return [tts.Entry(name="parrot", target="tts_stranger.backend:Parrot", summary="random words, then a sum")]


@tts.hookimpl
def tts_tasks() -> list[tts.Entry]:
    return [tts.Entry(name="doubling", target="tts_stranger.task:Doubling", summary="doubles of whole numbers")]


@tts.hookimpl
def tts_commands() -> list[tts.Entry]:
    return [tts.Entry(name="greet", target="tts_stranger.command:greet", summary="says hello")]


@tts.hookimpl
def tts_reports() -> list[tts.Entry]:
    return [tts.Entry(name="words", target="tts_stranger.report:words", summary="how long the strategies' names are")]
