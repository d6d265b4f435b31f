"""What of the sglang backend needs no engine: options, a server's facts, requests and answers, errors."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("torch")

from openai_process import running
from tiny_models import bpe_tokenizer
from waiting import line

from tts import BackendUnavailable, ConfigError, Message, MissingDependencyError, Request, Sampling
from tts_backends.checkpoints.chat import Chat
from tts_backends.checkpoints.request import prepare
from tts_backends.sglang import SGLangBackend
from tts_backends.sglang import serve as sglang_serve
from tts_backends.sglang.host import Refused, _Parser, _words
from tts_backends.sglang.request import Answer, Ask

ABOUT = {
    "served_model_name": "/models/small", "model_path": "/models/small", "tokenizer_path": "/models/small",
    "dtype": "bfloat16", "weight_version": "default", "max_req_input_len": 4090, "max_running_requests": 32,
    "dp_size": 2, "enable_priority_scheduling": True, "schedule_low_priority_values_first": True,
    "enable_deterministic_inference": True, "disable_radix_cache": False,
}  # fmt: skip


def facts(**changed: Any) -> sglang_serve.Facts:
    return sglang_serve._read({**ABOUT, **changed}, {"max_model_len": 4096})


def asked(known: sglang_serve.Facts, **sampling: Any) -> tuple[Chat, Ask]:
    chat = Chat(bpe_tokenizer(), None, "<think>", "</think>")
    messages = (Message(role="user", content="3*8"),)
    request = Request(messages=messages, n=2, seeds=(7, 2**40 + 5), priority=3, sampling=Sampling(**sampling))
    return chat, Ask(request, asyncio.run(prepare(chat, request, known.context, "sglang:x")), [2], known)


def test_what_a_server_says_of_itself() -> None:
    known = facts()
    assert (known.context, known.seed, known.order, known.at_once) == (4090, True, 1, 64)
    other = facts(
        enable_priority_scheduling=False, max_running_requests=None, disable_radix_cache=True, max_req_input_len=None
    )
    assert (other.context, other.order, other.at_once, other.shares_prefixes) == (4090, 0, None, False)
    assert facts(schedule_low_priority_values_first=False).order == -1


def test_each_completion_is_asked_for_with_its_own_seed_and_name() -> None:
    _, ask = asked(facts(), top_k=None, max_tokens=9, stop=("END",), logprobs=True)
    first, second, again = (json.loads(ask.body(index)) for index in (0, 1, 1))
    assert first["input_ids"] == ask.prompt.ids
    assert [one["sampling_params"]["sampling_seed"] for one in (first, second)] == [7, 5]
    assert len({one["rid"] for one in (first, second, again)}) == 3
    assert json.loads(ask.abort(1)) == {"rid": again["rid"]}
    assert (first["priority"], first["return_logprob"]) == (3, True)
    wanted = {"top_k": -1, "max_new_tokens": 9, "stop": ["END"], "stop_token_ids": [2]}
    assert wanted.items() <= first["sampling_params"].items()
    _, plain = asked(facts(enable_deterministic_inference=False, enable_priority_scheduling=False))
    body = json.loads(plain.body(0))
    assert "priority" not in body
    assert "sampling_seed" not in body["sampling_params"]


def test_an_answer_becomes_a_completion_and_the_first_pays_for_the_prompt() -> None:
    chat, ask = asked(facts(), stop=("END",))
    tokens = chat.token_ids("so 24 END")
    said = {
        "output_ids": [7, 7, *tokens],
        "meta_info": {
            "finish_reason": {"type": "stop", "matched": "END"},
            "cached_tokens": 5,
            "completion_tokens": len(tokens),
        },
    }
    ask.led = Answer([], 1, "length", None, None)
    first, second = (Answer.of(said).completion(chat, ask, index) for index in (0, 1))
    assert (first.text, first.finish_reason) == ("so 24 ", "stop")
    assert (first.usage.cached_tokens, second.usage.cached_tokens) == (1, 5)
    assert first.usage.answer_tokens == len(tokens)
    never_begun = {"text": "", "meta_info": {"finish_reason": {"type": "abort", "message": "early"}}}
    assert Answer.of(never_begun).aborted
    with pytest.raises((KeyError, TypeError, ValueError)):
        Answer.of({"choices": []})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "http://127.0.0.1:1", "tp_size": "2"}, "start the server"),
        ({"retries": 3}, "@base_url="),
        ({"base_url": "nowhere"}, "no address"),
    ],
)
def test_options_of_engines_and_of_servers_are_told_apart(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SGLangBackend("miniature", SGLangBackend.Options(**options))


def test_a_server_that_is_not_there_or_no_sglang_is_one_sentence() -> None:
    with pytest.raises(BackendUnavailable, match="start the server"):
        SGLangBackend("miniature", SGLangBackend.Options(base_url="http://127.0.0.1:9"))
    with running() as server, pytest.raises(ConfigError, match="openai:"):
        SGLangBackend("miniature", SGLangBackend.Options(base_url=server.base))


def test_the_wrong_model_is_refused_by_name() -> None:
    sglang_serve._check("sglang:small", "small", facts())
    sglang_serve._check("sglang:org/small", "org/small", facts())
    with pytest.raises(ConfigError, match="'/models/small'"):
        sglang_serve._check("sglang:large", "large", facts())


def test_options_become_words_of_the_command_line() -> None:
    parser = _Parser(add_help=False)
    switch = parser.add_argument("--disable-radix-cache", action="store_true")
    size = parser.add_argument("--tensor-parallel-size", "--tp-size", type=int)
    assert _words("disable_radix_cache", "TRUE", switch) == ["--disable-radix-cache"]
    assert _words("disable_radix_cache", "false", switch) == []
    assert _words("tp_size", "2", size) == ["--tp-size=2"]
    with pytest.raises(Refused, match="true or false"):
        _words("disable_radix_cache", "perhaps", switch)
    with pytest.raises(Refused, match="two"):
        parser.parse_args(["--tp-size=two"])


def test_without_sglang_one_sentence_says_what_to_install() -> None:
    try:
        import sglang  # noqa: F401 - whether it is there
    except ImportError:
        with pytest.raises(MissingDependencyError, match="sglang"):
            SGLangBackend("miniature", SGLangBackend.Options())
    else:
        pytest.skip("SGLang is installed")


def test_the_engines_process_ends_with_who_started_it(tmp_path: Path) -> None:
    """SIGKILL of the parent, while another child of it still holds the pipe."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, subprocess, sys, time\n"
        "host = subprocess.Popen([sys.executable, '-c', 'import os, tts_backends.sglang.host as h, time; "
        "import sys, threading; threading.Thread(target=h._end_with, args=(int(sys.argv[1]),), daemon=True).start(); "
        "time.sleep(60)', str(os.getpid())], stdin=subprocess.PIPE, start_new_session=True)\n"
        "if os.fork() == 0:\n    time.sleep(30)\n    os._exit(0)\n"
        "print(host.pid, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    host = int(line(parent))
    parent.kill()
    parent.wait(60)
    parent.stdout.close()
    assert _gone(host)


def _gone(pid: int) -> bool:
    for _ in range(300):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.1)
    return False
