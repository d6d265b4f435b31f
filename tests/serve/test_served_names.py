"""A strategy that cannot be served is told with its reason, at the start and to who asks for it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from doubles import FakeBackend
from serving import Client, served

import tts
from tts.registry.host import Plugin
from tts.serve.catalog import Catalog
from tts.serve.recipe import Recipe

Fake = Callable[..., type[FakeBackend]]


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("best_of_n", "'best_of_n' is not served here: it needs a scorer, and this gateway has none"),
        ("knockout@votes=3", "'knockout' is not served here: it needs a judge"),
        ("best_of_m", "no model is called 'best_of_m'"),
    ],
)
def test_a_strategy_whose_models_are_not_given_says_which(fake: Fake, model: str, sentence: str) -> None:
    fake()
    status, said = served(lambda client: client.chat(model=model))
    assert (status, said["error"]["code"]) == (404, "model_not_found")
    assert said["error"]["message"].startswith(sentence)


def test_a_strategy_that_two_packages_offer_is_neither(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake()
    entry = tts.Entry(name="shortest", target="tts_strategies.first:First")
    offers = [Plugin("strategy", entry, package, "1.0") for package in ("one-package", "other-package")]
    monkeypatch.setitem(tts.plugins()._entries["strategy"], "shortest", offers)

    async def use(client: Client) -> str:
        status, said = await client.chat(model="shortest")
        assert status == 404
        assert (await client.chat(model="majority"))[0] == 200
        return str(said["error"]["message"])

    with caplog.at_level(logging.WARNING, "tts"):
        sentence = served(use)
    told = "strategy 'shortest' is offered by one-package 1.0 and other-package 1.0"
    assert sentence.startswith(f"'shortest' is not served here: {told}")
    assert [record for record in caplog.records if told in record.getMessage()]


def test_a_strategy_that_cannot_be_imported_is_told(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake()
    entry = tts.Entry(name="shortest", target="there_is_no_such_module:Shortest")
    monkeypatch.setitem(tts.plugins()._entries["strategy"], "shortest", [Plugin("strategy", entry, "a-package", "1.0")])
    with caplog.at_level(logging.WARNING, "tts"):
        catalog = Catalog(Recipe(model="fake:m"))
    assert "shortest" not in catalog.names()
    assert "there_is_no_such_module" in caplog.text
