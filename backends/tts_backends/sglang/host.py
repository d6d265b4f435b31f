"""The process of an SGLang engine: started by `process`, told what to run by one line of JSON on stdin.

An engine of SGLang takes over the process it lives in: it must be made on the main thread, sets signal handlers, log
handlers, the start method of multiprocessing and the event loop policy, and when it ends or fails it kills every child
of its process, or the process itself. So it gets one of its own, and the requests go the way they go to any server.

Answers are lines of JSON on what was stdout; everything that SGLang writes goes to stderr. The process leads a group
of its own, which dies as a whole when stdin closes: however the parent ends, nothing stays behind.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import select
import signal
import sys
import threading
from typing import Any, NoReturn

# The CPU has neither SGLang's kernels nor CUDA graphs. float32 is what the hf backend takes there.
_CPU = {
    "device": "cpu",
    "attention_backend": "torch_native",
    "sampling_backend": "pytorch",
    "dtype": "float32",
    "disable_cuda_graph": "true",
    "disable_overlap_schedule": "true",
    "grammar_backend": "none",
}
_OURS = {"config", "host", "port", "api_key", "model", "model_path"}


class Refused(Exception):  # noqa: N818 - an answer to the parent
    """An option that SGLang does not take."""


def main() -> None:
    """Run the server that the first line of stdin describes."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**said: Any) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with, args=(order["parent"],), daemon=True).start()
    try:
        arguments = _arguments(order)
        from sglang.srt.entrypoints.http_server import launch_server

        launch_server(arguments, launch_callback=lambda: answer(ready=True))
    except Refused as refused:
        answer(refused=str(refused))
    except ImportError as error:
        answer(missing=error.name or str(error))
    except Exception as error:  # SGLang's own words are all there is to say
        answer(failed=(str(error).strip().splitlines() or [type(error).__name__])[0])


def _end_with(parent: int) -> None:
    """Wait until the parent closes stdin or is gone, as its other children may hold the pipe, and end the group."""
    while not select.select([0], [], [], 1.0)[0] and os.getppid() == parent:
        pass
    os.killpg(0, signal.SIGKILL)


def _arguments(order: dict[str, Any]) -> Any:
    """What `sglang.launch_server` would make of the options; raises `Refused`."""
    import torch

    defaults = dict(order["defaults"])
    if not torch.accelerator.is_available():
        os.environ.setdefault("SGLANG_USE_CPU_ENGINE", "1")  # read when SGLang is imported
        defaults |= _CPU
    from sglang.srt.server_args import ServerArgs

    parser = _Parser(add_help=False, allow_abbrev=False)
    ServerArgs.add_cli_args(parser)
    actions = {
        flag[2:].replace("-", "_"): action
        for action in parser._actions  # noqa: SLF001 - argparse has no other list
        for flag in action.option_strings
        if flag.startswith("--") and flag[2:].replace("-", "_") not in _OURS
    }
    words = ["--model-path", order["place"], "--host", "127.0.0.1", "--port", str(order["port"])]
    for name, value in {**{k: v for k, v in defaults.items() if k in actions}, **order["options"]}.items():
        if name not in actions:
            near = difflib.get_close_matches(name, actions, 1)
            meant = f"did you mean {near[0]!r}?" if near else "its options are those of `sglang.launch_server --help`"
            raise Refused(f"SGLang has no engine option {name!r}; {meant}")
        words += _words(name, value, actions[name])
    arguments = ServerArgs.from_cli_args(parser.parse_args(words))
    arguments.api_key = order["key"]  # not among the words, which everybody on the machine can read
    return arguments


def _words(name: str, value: str, action: argparse.Action) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if flag not in action.option_strings:
        flag = next(f for f in action.option_strings if f[2:].replace("-", "_") == name)
    if action.nargs != 0:
        return [f"{flag}={value}"]
    if value.lower() not in {"true", "false"}:
        raise Refused(f"{name} is a switch and takes true or false, not {value!r}")
    return [flag] if value.lower() == "true" else []


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refused(message)


if __name__ == "__main__":
    main()
