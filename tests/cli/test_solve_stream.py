"""`tts solve --stream`: the answer on stdout while it is written, everything else on stderr."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from click.testing import Result
from fake_backend import Fake
from test_process import FAKE, start

import tts

Tts = Callable[..., Result]
ASK = ("solve", "What is 2+3?", "-k", "2", "--stream")


@pytest.mark.parametrize("strategy", ["gsr", "majority", "first"])
@pytest.mark.parametrize("model", ["fake:5", "fake:5@streams=true"])
def test_the_answer_is_on_stdout_whole_and_once(run_tts: Tts, strategy: str, model: str) -> None:
    done = run_tts(*ASK, "-m", model, "-s", strategy)
    assert (done.exit_code, done.stdout) == (0, "It is \\boxed{5}.\n"), done.stderr
    assert "answer: 5" in done.stderr
    assert run_tts(*ASK[:-1], "-m", model, "-s", strategy).stdout == done.stdout


def test_words_come_while_they_are_written_and_ctrl_c_ends_their_line() -> None:
    process = start(FAKE, *ASK, "-m", "fake:5@streams=true,stuck=true", "-s", "gsr")
    assert process.stdout is not None
    assert process.stdout.read(5) == "It is"  # the last word never comes
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "\n")
    assert "Traceback" not in err


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    process = start(FAKE, *ASK, "-m", "fake:5@streams=true,seconds=0.5", "-s", "gsr")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.wait(timeout=60)
    process.stderr.close()
    assert "Traceback" not in err


def test_it_does_not_go_with_json(run_tts: Tts) -> None:
    done = run_tts(*ASK, "--json", "-m", "fake:5")
    assert done.exit_code != 0
    assert "--stream prints the answer and --json the whole result" in done.stderr
    assert done.stdout == ""


def test_what_became_another_answer_is_written_whole(run_tts: Tts, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = Fake.generate

    async def generate(self: Fake, request: tts.Request) -> object:
        if request.on_text is not None:
            request.on_text(0, "Once upon")
        async for one in inner(self, request.model_copy(update={"on_text": None})):
            yield one

    monkeypatch.setattr(Fake, "generate", generate)
    done = run_tts(*ASK, "-m", "fake:5@streams=true", "-s", "gsr")
    assert done.stdout == "Once upon\nIt is \\boxed{5}.\n"
    assert "has become another one" in done.stderr


def test_who_reads_along_hears_all_of_it_and_its_own_error(run_tts: Tts) -> None:
    assert run_tts("--version").exit_code == 0  # the model is registered
    said: list[str] = []
    result = tts.solve("2+3", strategy="gsr", k=2, model="fake:5@streams=true", on_text=said.append)
    assert "".join(said) == "It is \\boxed{5}."
    assert len(said) > 1
    assert result.answer == "5"

    def fails(_: str) -> None:
        raise RuntimeError("my own")

    with pytest.raises(RuntimeError, match="my own"):
        tts.solve("2+3", strategy="gsr", k=2, model="fake:5@streams=true", on_text=fails)
