"""The kinds of bad plugins: each is what one author might write, by mistake or on purpose.

A strategy, scorer and backend are good on every problem but the one whose text has `99` in it, where they do what their
kind says; an extractor likewise on a text with `99`. So it shows whether one bad moment costs more than itself.
"""

# ruff: noqa: E501 - the code of a plugin stands beside its name

from __future__ import annotations

from typing import Literal, NamedTuple

Place = Literal["import", "strategy", "backend", "scorer", "grader", "extractor"]
Harm = Literal["left out", "fails", "harmless", "refused"]


class Kind(NamedTuple):
    """A bad plugin.

    `code` stands in the plugin's module, or where its object does the deed. What it may cost: a plugin is "left out" of a
    run that goes on, its own work "fails", it is "harmless", or the call that names it is "refused" before anything is
    spent. `says` must be told, as a regular expression; by default a sentence must name the plugin, unless it is
    harmless.
    """

    place: Place
    name: str
    code: str
    harm: Harm
    says: str = ""

    @property
    def wanted(self) -> str:
        """What must be told."""
        if self.says or self.harm == "harmless":
            return self.says
        return r"\bbad-plugin\b" if self.place == "import" else r"['\"]bad\b"


def _kinds(place: Place, harm: Harm, codes: dict[str, str]) -> list[Kind]:
    return [Kind(place, name, code, harm) for name, code in codes.items()]


# --- at import -------------------------------------------------------------------------------------------------------

IMPORT = [
    *_kinds("import", "left out", {
        "raises": "raise RuntimeError('no')",
        "raises what cannot be printed": "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
        "raises a novel": "raise RuntimeError('x' * 10_000_000)",
        "raises BaseException": "raise BaseException('no')",
        "raises KeyboardInterrupt": "raise KeyboardInterrupt",
        "raises GeneratorExit": "raise GeneratorExit",
        "raises CancelledError": "import asyncio\nraise asyncio.CancelledError",
        "raises StopIteration": "raise StopIteration",
        "recurses for ever": "def f(): return f()\nf()",
        "runs out of memory": "raise MemoryError",
        "cannot be parsed": "def f(:",
        "has NUL in it": "x = 1\0",
        "is not UTF-8": "x = '\udcff'",
        "lacks a package": "import there_is_no_such_package",
        "asks for a name that is gone": "from tts import Aggregator",
        "sys.exit": "import sys; sys.exit(3)",
        "os._exit": "import os; os._exit(3)",
        "os.abort": "import os; os.abort()",
        "hook raises": "@tts.hookimpl\ndef tts_strategies(): raise RuntimeError('no')",
        "hook calls os._exit": "@tts.hookimpl\ndef tts_strategies():\n    import os; os._exit(3)",
        "hook gives None": "@tts.hookimpl\ndef tts_strategies(): return None",
        "hook gives names": "@tts.hookimpl\ndef tts_strategies(): return ['bad']",
        "hook is misspelt": "@tts.hookimpl\ndef tts_strategys(): return []",
        "hook wants an argument": "@tts.hookimpl\ndef tts_strategies(host): return []",
        "hook is a coroutine": "@tts.hookimpl\nasync def tts_strategies(): return []",
        "declaration of another form": "@tts.hookimpl\ndef tts_strategies(): return [tts.Entry(name='No Way', target='?')]",
        "a module that raises when looked at": "def __getattr__(name): raise RuntimeError(name)",
        "listener raises": "@tts.hookimpl\ndef tts_event(event): raise RuntimeError('bad-plugin')",
        "changes the folder": "import os, tempfile; os.chdir(tempfile.gettempdir())",
        "closes stdout": "import sys; sys.stdout.close()",
        "closes the descriptor of stdout": "import os; os.close(1)",
        "removes stdout": "import sys; sys.stdout = None",
        "lowers the recursion limit": "import sys; sys.setrecursionlimit(60)",
        "takes over Ctrl-C": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
    }),
    *_kinds("import", "harmless", {
        "prints": "print('{')",
        "prints from C": "import os; os.write(1, b'{')",
        "prints from a child": "import subprocess, sys; subprocess.run(['echo', '{'])",
        "prints at the end": "import atexit, os; atexit.register(lambda: os.write(1, b'{')); atexit.register(print, '{')",
        "silences warnings": "import warnings; warnings.simplefilter('ignore')",
        "makes warnings errors": "import warnings; warnings.simplefilter('error')",
        "configures logging": "import logging; logging.basicConfig(level=0, force=True); logging.disable(50)",
        "changes the locale": "import locale, contextlib\nwith contextlib.suppress(locale.Error): locale.setlocale(locale.LC_ALL, '')",
        "empties the environment": "import os; os.environ.clear()",
        "seeds random numbers": "import random; random.seed(0)",
        "empties sys.path": "import sys; del sys.path[1:3]",
        "leaves a daemon thread": "import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
        "forks": "import os\nif os.fork() == 0: os._exit(0)\nos.wait()",
        "sets the start method": "import multiprocessing; multiprocessing.set_start_method('spawn')",
        "declares what is not there": "@tts.hookimpl\ndef tts_strategies(): return [tts.Entry(name='bad', target='no:x')]",
        "declares a name twice": "@tts.hookimpl\ndef tts_strategies(): return [tts.Entry(name='bad', target='no:x')] * 2",
        "stops the garbage collector": "import gc; gc.disable()",
        "prints to a replaced stdout": "import sys, io; sys.stdout = io.StringIO()",
    }),
]  # fmt: skip

# --- a strategy's `aggregate`, on one problem ------------------------------------------------------------------------

STRATEGY = [
    *_kinds("strategy", "fails", {
        "raises": "raise RuntimeError('no')",
        "raises what cannot be printed": "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
        "raises a novel": "raise RuntimeError('x' * 10_000_000)",
        "raises BaseException": "raise BaseException('no')",
        "raises KeyboardInterrupt": "raise KeyboardInterrupt",
        "raises GeneratorExit": "raise GeneratorExit",
        "raises CancelledError": "raise asyncio.CancelledError",
        "raises StopIteration": "raise StopIteration",
        "raises StopAsyncIteration": "raise StopAsyncIteration",
        "raises a group": "raise ExceptionGroup('g', [RuntimeError(1)])",
        "raises our StoreError": "raise tts.StoreError('mine')",
        "recurses for ever": "def f(): return f()\nf()",
        "runs out of memory": "raise MemoryError",
        "sys.exit": "import sys; sys.exit(3)",
        "sys.exit in a task": "async def f(): import sys; sys.exit(3)\nawait asyncio.create_task(f())",
        "KeyboardInterrupt in a task": "async def f(): raise KeyboardInterrupt\nawait asyncio.create_task(f())",
        "os._exit": "import os; os._exit(3)",
        "os._exit in a thread": "import os; await asyncio.to_thread(os._exit, 3)",
        "os._exit in a thread of its own": (
            "import os, threading\nmine = threading.Thread(target=os._exit, args=(3,))\n"
            "mine.start(); mine.join()\nraise RuntimeError('my thread is gone')"
        ),
        "os.abort": "import os; os.abort()",
        "gives None": "return None",
        "gives text": "return '2'",
        "gives an infinity": "return float('inf')",
        "gives a class": "return tts.Decision",
        "gives a coroutine": "async def f(): ...\nreturn f()",
        "gives what cannot be compared or shown":
            "class X:\n    def __eq__(self, o): raise ValueError\n    __repr__ = __str__ = __eq__\n    __hash__ = None\nreturn X()",
        "gives what lies about its class": "class X:\n    @property\n    def __class__(self): raise ValueError\nreturn X()",
        "chooses a candidate that is not there": "return tts.Decision(text='2', chosen=99)",
        "chooses a negative candidate": "return tts.Decision(text='2', chosen=-1)",
        "confidence is not a number": "return tts.Decision(text='2', confidence=float('nan'))",
        "skips the checks of a decision": "return tts.Decision.model_construct(text=None, chosen=None)",
        "skips the checks of alternatives": "return tts.Decision.model_construct(text='2', alternatives=7)",
        "trace is no JSON": "return tts.Decision(text='2', trace={'x': object()})",
        "trace contains itself": "t = {}; t['t'] = t\nreturn tts.Decision(text='2', trace=t)",
        "trace is 10,000 deep": "t = {}\nfor _ in range(10_000): t = {'t': t}\nreturn tts.Decision(text='2', trace=t)",
        "trace is 400 deep": "t = {}\nfor _ in range(400): t = {'t': t}\nreturn tts.Decision(text='2', trace=t)",
        "trace has odd keys": "return tts.Decision(text='2', trace={(1, 2): 3})",
        "asks a role that it did not declare": "await ctx.score(())",
        "asks for no completions": "await ctx.generate([tts.Message(role='user', content='x')], -1)",
        "asks for a billion completions": "await ctx.generate([tts.Message(role='user', content='x')], 10**9)",
        "asks for a text of completions": "await ctx.generate([tts.Message(role='user', content='x')], 'many')",
        "streams a billion": "async with ctx.sample(10**9) as s: pass",
        "touches what is frozen": "(await ctx.candidates())[0].text = 'x'",
        "asks a closed context again": "ctx.nothing_of_this_name",
        "waits for ever": "await asyncio.Event().wait()",
        "waits for a future of another loop":
            "loop = asyncio.new_event_loop()\ntry: await loop.create_future()\nfinally: loop.close()",
        "runs a loop in the loop": "asyncio.run(asyncio.sleep(0))",
        "closes the loop": "asyncio.get_running_loop().close()",
        "swallows its cancellation once": "try: await asyncio.Event().wait()\nexcept BaseException: await asyncio.Event().wait()",
    }),
    *_kinds("strategy", "harmless", {
        "prints": "print('{')",
        "prints from C": "import os; os.write(1, b'{')",
        "prints from a child": "import subprocess; subprocess.run(['echo', '{'])",
        "closes stdout": "import sys; sys.stdout.close()",
        "closes the descriptor of stdout": "import os; os.close(1)",
        "changes the folder": "import os, tempfile; os.chdir(tempfile.gettempdir())",
        "empties the environment": "import os; os.environ.clear()",
        "lowers the recursion limit": "import sys; sys.setrecursionlimit(200)",
        "seeds random numbers": "import random; random.seed(0)",
        "silences warnings": "import warnings; warnings.simplefilter('ignore')",
        "makes warnings errors": "import warnings; warnings.simplefilter('error'); warnings.resetwarnings()",
        "configures logging": "import logging; logging.disable(50)",
        "changes the locale": "import locale, contextlib\nwith contextlib.suppress(locale.Error): locale.setlocale(locale.LC_ALL, '')",
        "sets another loop": "asyncio.set_event_loop(asyncio.new_event_loop())",
        "leaves a task": "asyncio.create_task(asyncio.sleep(3600))",
        "leaves a task that fails": "async def f(): raise RuntimeError('late')\nasyncio.create_task(f())",
        "leaves a daemon thread": "import threading, time; threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()",
        "forks a child": "import os\nif os.fork() == 0: os._exit(0)\nos.wait()",
        "forks and both go on": "import os; os.fork()",
        "blocks the loop for a second": "import time; time.sleep(1)",
        "changes the metadata it sees": "ctx.problem.metadata['x'] = ctx.problem.metadata.clear()",
        "replaces our extractor": "import tts.answers as own; own.extract = None",
        "logs 10 MB": "ctx.log('x' * 10_000_000)",
        "logs control sequences": "ctx.log('\\x1b[2J\\x00\\udcff')",
        "trace is 10 MB": "return tts.Decision(text=c[0].text, chosen=0, trace={'x': 'y' * 10_000_000})",
        "trace is a NaN": "return tts.Decision(text=c[0].text, chosen=0, trace={'x': float('nan')})",
        "a decision of its own class": "class D(tts.Decision): more: int = 1\nreturn D(text=c[0].text, chosen=0)",
        "stops the loop": "asyncio.get_running_loop().stop()",
    }),
]  # fmt: skip

# --- a backend -------------------------------------------------------------------------------------------------------

_YIELD = "usage = tts.Usage(calls=1, answer_tokens=1)\nfor i in range(request.n):\n    yield tts.Completion("
BACKEND = [
    *_kinds("backend", "fails", {
        "raises": "raise RuntimeError('no')",
        "raises what cannot be printed": "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
        "raises BaseException": "raise BaseException('no')",
        "raises KeyboardInterrupt": "raise KeyboardInterrupt",
        "raises CancelledError": "raise asyncio.CancelledError",
        "raises StoreError": "raise tts.StoreError('mine')",
        "raises BudgetExceededError": "raise tts.BudgetExceededError('mine')",
        "sys.exit": "import sys; sys.exit(3)",
        "os._exit": "import os; os._exit(3)",
        "yields None": "yield None",
        "yields text": "yield 'x'",
        "yields too few": "return",
        "yields one twice": "for _ in range(9): yield tts.Completion(index=0, text='\\\\boxed{2}')",
        "yields beyond what was asked": "yield tts.Completion(index=10**9, text='x')",
        "skips the checks: negative index": "yield tts.Completion.model_construct(index=-1, text='x', usage=tts.Usage())",
        "skips the checks: no text": "yield tts.Completion.model_construct(index=0, text=None, usage=tts.Usage())",
        "skips the checks: no usage": "yield tts.Completion.model_construct(index=0, text='x', usage=None)",
        "skips the checks: finish reason":
            "yield tts.Completion.model_construct(index=0, text='x', finish_reason=7, usage=tts.Usage())",
        "yields nothing but says all is well": _YIELD + "index=i, text='')",
        "waits for ever": "await asyncio.Event().wait()",
        "waits for a future of another loop": "await asyncio.new_event_loop().create_future()",
    }),
    *_kinds("backend", "harmless", {
        "prints from C": "import os; os.write(1, b'{')",
        "changes the folder": "import os, tempfile; os.chdir(tempfile.gettempdir())",
        "reports a cancellation that was none": "request.on_cancelled(tts.Usage(calls=1))",
        "reports a cancellation of nonsense": "import contextlib\nwith contextlib.suppress(Exception): request.on_cancelled(None)",
        "leaves a task": "asyncio.create_task(asyncio.sleep(3600))",
    }),
]  # fmt: skip
# The class as a whole: nothing can be asked of it.
BACKEND_CLASS = _kinds("backend", "refused", {
    "__init__ raises": "def __init__(self, model, options): raise RuntimeError('no')",
    "__init__ calls os._exit": "def __init__(self, model, options):\n    import os; os._exit(3)",
    "__init__ raises BaseException": "def __init__(self, model, options): raise BaseException('no')",
    "__init__ takes nothing": "def __init__(self): ...",
    "fingerprint raises": "@property\ndef fingerprint(self): raise RuntimeError('no')",
    "no fingerprint": "fingerprint = None",
    "no capabilities": "capabilities = None",
    "room for no completion": "capabilities = tts.Capabilities(concurrency=0)",
    "room for fewer than none": "capabilities = tts.Capabilities(concurrency=-1)",
    "no generate": "generate = None",
    "Options of another kind": "Options = dict",
})  # fmt: skip
BACKEND_CLASS += _kinds("backend", "fails", {
    "generate is no generator": "def generate(self, request): return [tts.Completion(index=0, text='x')]",
    "generate is a coroutine": "async def generate(self, request): return [tts.Completion(index=0, text='x')]",
    "generate gives None": "def generate(self, request): return None",
})  # fmt: skip
BACKEND_CLASS += _kinds("backend", "harmless", {
    "aclose raises": "async def aclose(self): raise RuntimeError('no')",
    "aclose calls os._exit": "async def aclose(self):\n    import os; os._exit(3)",
    "aclose raises BaseException": "async def aclose(self): raise BaseException('no')",
    "aclose is no coroutine": "def aclose(self): ...",
    "aclose hangs": "async def aclose(self): await asyncio.Event().wait()",
    "no aclose": "aclose = None",
})  # fmt: skip

# --- a scorer, a grader, an extractor --------------------------------------------------------------------------------

SCORER = [
    *_kinds("scorer", "fails", {
        "raises": "raise RuntimeError('no')",
        "raises what cannot be printed": "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
        "raises BaseException": "raise BaseException('no')",
        "raises KeyboardInterrupt": "raise KeyboardInterrupt",
        "raises CancelledError": "raise asyncio.CancelledError",
        "sys.exit": "import sys; sys.exit(3)",
        "os._exit": "import os; os._exit(3)",
        "gives None": "return None",
        "gives numbers": "return [1.0] * len(responses)",
        "gives one too few": "return [tts.Score(value=1)] * (len(responses) - 1)",
        "gives NaN": "return [tts.Score(value=float('nan'))] * len(responses)",
        "skips the checks: NaN": "return [tts.Score.model_construct(value=float('nan'), usage=tts.Usage())] * len(responses)",
        "skips the checks: text": "return [tts.Score.model_construct(value='x', usage=tts.Usage())] * len(responses)",
        "gives a generator": "return (tts.Score(value=1) for _ in responses)",
        "gives what cannot be shown":
            "class X(list):\n    def __repr__(self): raise ValueError\nreturn X([1])",
        "waits for ever": "await asyncio.Event().wait()",
    }),
    *_kinds("scorer", "harmless", {
        "prints from C": "import os; os.write(1, b'{')",
        "empties what it was given": "good = [tts.Score(value=1)] * len(responses)\nresponses.clear()\nreturn good",
        "empties the problem's metadata": "problem.metadata.clear()",
    }),
]  # fmt: skip

GRADER = _kinds("grader", "fails", {
    "raises": "raise RuntimeError('no')",
    "raises what cannot be printed": "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
    "raises BaseException": "raise BaseException('no')",
    "raises KeyboardInterrupt": "raise KeyboardInterrupt",
    "raises CancelledError": "raise asyncio.CancelledError",
    "sys.exit": "import sys; sys.exit(3)",
    "os._exit": "import os; os._exit(3)",
    "gives None": "return None",
    "gives words": "return ['no'] * len(pairs)",
    "gives numbers": "return [1] * len(pairs)",
    "gives one too few": "return [True] * (len(pairs) - 1)",
    "gives what cannot be shown":
        "class X:\n    def __repr__(self): raise ValueError\nreturn [X()] * len(pairs)",
    "gives a generator that raises": "return (1 / 0 for _ in pairs)",
    "waits for ever": "await asyncio.Event().wait()",
})  # fmt: skip
GRADER += _kinds("grader", "harmless", {
    "empties what it was given": "good = [a == b for a, b in pairs]\npairs.clear()\nreturn good",
})  # fmt: skip
GRADER_CLASS = [
    *_kinds("grader", "refused", {
        "__init__ raises": "def __init__(self): raise RuntimeError('no')",
        "__init__ calls os._exit": "def __init__(self):\n    import os; os._exit(3)",
        "__init__ wants an argument": "def __init__(self, model): ...",
    }),
    *_kinds("grader", "fails", {
        "grade is no coroutine": "def grade(self, pairs): return [True] * len(pairs)",
        "no grade": "grade = None",
    }),
]  # fmt: skip
GRADER_CLASS += _kinds("grader", "harmless", {
    "aclose raises": "async def aclose(self): raise RuntimeError('no')",
    "no aclose": "aclose = None",
    "aclose raises CancelledError": "async def aclose(self): raise asyncio.CancelledError",
})  # fmt: skip

EXTRACTOR = _kinds("extractor", "fails", {
    "raises": "raise RuntimeError('no')",
    "raises what cannot be printed": "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
    "raises BaseException": "raise BaseException('no')",
    "raises KeyboardInterrupt": "raise KeyboardInterrupt",
    "recurses for ever": "def f(): return f()\nf()",
    "sys.exit": "import sys; sys.exit(3)",
    "os._exit": "import os; os._exit(3)",
    "gives a number": "return 2",
    "gives a list": "return ['2']",
    "gives bytes": "return b'2'",
    "gives a coroutine": "async def f(): return '2'\nreturn f()",
})  # fmt: skip
EXTRACTOR += _kinds("extractor", "harmless", {
    "gives text that cannot be compared":
        "class T(str):\n    def __eq__(self, o): raise ValueError\n    __hash__ = str.__hash__\nreturn T(tts.answers.extract(text))",
    "prints from C": "import os; os.write(1, b'{')",
})  # fmt: skip

KINDS: list[Kind] = [
    *IMPORT, *STRATEGY, *BACKEND, *BACKEND_CLASS, *SCORER, *GRADER, *GRADER_CLASS, *EXTRACTOR,
]  # fmt: skip
WHOLE: set[tuple[str, str]] = {(kind.place, kind.name) for kind in [*BACKEND_CLASS, *GRADER_CLASS]}
