"""Messages as token ids, which can be read back.

Only the chat template can write a control token. Problems and candidates are other people's text, so a `<|im_start|>`
or `</s>` in them must reach the model as characters. Two steps see to that, for any tokenizer and any template:

1. Control strings in message contents are hidden behind placeholders while the template runs; what is left in the
   rendered text was written by the template and gets a secret name; then the placeholders turn back into their text.
2. The text is encoded by a copy of the tokenizer in which the control tokens answer to their secret names only.

A template that splits a content, as Qwen3's does at `</think>`, still sees it: think markers are not hidden in
assistant turns.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from tokenizers import Tokenizer

from tts import BackendError, ConfigError, Message, split_thinking


def read_template(path: Path | None) -> str | None:
    """A chat template of the user's, where there is one."""
    try:
        return None if path is None else path.expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the chat template {str(path)!r} cannot be read: {error.strerror}") from error


class Prompt(NamedTuple):
    """An encoded prompt; `opens_thinking` says that it ends inside a think block."""

    ids: list[int]
    opens_thinking: bool


class Parts(NamedTuple):
    """Generated tokens as text, with the share of them that belongs to the think block."""

    text: str
    thinking: str | None
    summary: str | None
    thinking_tokens: int


class Chat:
    """Template, tokenizer and think markers of one model; safe to use from several threads."""

    def __init__(self, tokenizer: Any, template: str | None, think_open: str, think_close: str) -> None:
        if getattr(tokenizer, "backend_tokenizer", None) is None:
            raise ConfigError(
                f"the hf backend needs a fast tokenizer and this model's is a {type(tokenizer).__name__}; "
                "convert it to a tokenizer.json"
            )
        self._tokenizer = tokenizer
        self.template = template or tokenizer.chat_template
        self._markers = (think_open, think_close)
        nonce = secrets.token_hex(8)  # nobody can write what nobody can guess
        self._controls = [t.content for t in tokenizer.added_tokens_decoder.values() if _is_control(t)]
        self._secret = {text: f"\ue000{nonce}.c{i}\ue001" for i, text in enumerate(self._controls)}
        self._hidden = {text: f"\ue000{nonce}.h{i}\ue001" for i, text in enumerate(self._controls)}
        self._control_pattern = _any_of(self._controls)
        self._hidden_pattern = _any_of(self._hidden.values())
        self._shown = {name: text for text, name in self._hidden.items()}
        self._plain, self._original = _renamed(tokenizer, self._secret)
        self._bos = _leading_bos(tokenizer)
        self._dropped = {i for i, t in tokenizer.added_tokens_decoder.items() if t.special} - {
            tokenizer.convert_tokens_to_ids(m) for m in self._markers
        }

    def encode(self, messages: Sequence[Message], thinking: bool | None, go_on: bool = True) -> Prompt:
        """The prompt's tokens, up to where the model is to go on, or a whole conversation's without `go_on`.

        Raises `BackendError` where the template refuses.
        """
        text = self._render([(m.role, self._hide(m)) for m in messages], thinking, go_on)
        opens = text.rstrip().endswith(self._markers[0])
        text = self._control_pattern.sub(lambda found: self._secret[found.group()], text)
        text = self._hidden_pattern.sub(lambda found: self._shown[found.group()], text)
        ids = self._encode([text])[0]
        return Prompt(ids if self.template else self._bos + ids, opens)

    def written(self, token: str) -> str | None:
        """What stands for a control token where the caller means it, in messages or plain text; `None`: it is none."""
        return self._secret.get(token)

    def token_ids(self, text: str) -> list[int]:
        """The tokens of a text without a template around it, control tokens read as plain text."""
        return self._encode([text])[0]

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text read as plain text."""
        return [len(ids) for ids in self._encode(texts)]

    def decode(self, ids: Sequence[int]) -> str:
        """Generated tokens as text: special tokens are left out, think markers are not."""
        kept = [i for i in ids if i not in self._dropped]
        text: str = self._tokenizer.decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def split(self, ids: Sequence[int], opened: bool, text: str | None = None) -> Parts:
        """Text, thinking and summary of generated tokens; `text` where it was cut at a stop string."""
        opening, closing = self._markers
        text = self.decode(ids) if text is None else text
        thinking, summary = split_thinking(text, opening, closing, opened)
        if thinking is None:
            return Parts(text, None, summary, 0)
        if summary is None:
            return Parts(text, thinking, None, len(ids))
        end = text.rindex(closing) + len(closing)
        begin = text.find(opening) if summary != text[end:].strip() else 0  # visible text before the block
        spent = self._tokens_up_to(ids, end) - (self._tokens_up_to(ids, begin) if begin > 0 else 0)
        return Parts(text, thinking, summary, spent)

    def end_token(self) -> int | None:
        """The control token that the template writes after an assistant turn, if it writes one."""
        if not self.template:
            return None
        mark = "\ue000end\ue001"
        try:
            text = self._render([("user", "x"), ("assistant", mark)], None, go_on=False)
        except BackendError:
            return None
        found = self._control_pattern.match(text.partition(mark)[2].lstrip())
        return None if found is None else int(self._tokenizer.convert_tokens_to_ids(found.group()))

    def _tokens_up_to(self, ids: Sequence[int], length: int) -> int:
        """How many tokens it takes to write the first `length` characters."""
        low, high = 0, len(ids)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if len(self.decode(ids[:middle])) >= length else (middle + 1, high)
        return low

    def _hide(self, message: Message) -> str:
        kept = self._markers if message.role == "assistant" else ()
        hide: Callable[[re.Match[str]], str] = lambda m: m.group() if m.group() in kept else self._hidden[m.group()]  # noqa: E731 - reads as the substitution it is
        return self._control_pattern.sub(hide, message.content)

    def _render(self, turns: list[tuple[str, str]], thinking: bool | None, go_on: bool = True) -> str:
        if not self.template:
            said = [f"{role.capitalize()}: {content}" for role, content in turns]
            return "\n\n".join([*said, "Assistant:"] if go_on else said)
        extra = {} if thinking is None else {"enable_thinking": thinking}
        try:
            text: str = self._tokenizer.apply_chat_template(
                [{"role": role, "content": content} for role, content in turns],
                chat_template=self.template,
                tokenize=False,
                add_generation_prompt=go_on,
                **extra,
            )
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            roles = ", ".join(role for role, _ in turns)
            raise BackendError(f"the chat template refuses turns of the roles {roles}: {error}") from error
        return text

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self._plain.encode_batch_fast(list(texts), add_special_tokens=False)
        if not self._original:
            return [e.ids for e in encoded]
        return [[self._original.get(i, i) for i in e.ids] for e in encoded]


def _is_control(token: Any) -> bool:
    # Gemma keeps runs of line breaks and spaces as added tokens: those are ordinary text.
    return bool(token.special or token.content.strip(" ▁\t\r\n"))


def _any_of(texts: Any) -> re.Pattern[str]:
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _renamed(tokenizer: Any, names: dict[str, str]) -> tuple[Tokenizer, dict[int, int]]:
    """A copy of the tokenizer with control tokens called by `names`, and the original ids of those it numbers anew."""
    spec = json.loads(tokenizer.backend_tokenizer.to_str())
    spec.update(truncation=None, padding=None, post_processor=None)
    ids = {token["content"]: token["id"] for token in spec["added_tokens"]}
    for token in spec["added_tokens"]:
        if token["content"] in names:
            token.update(content=names[token["content"]], normalized=False, special=True)
    model = spec["model"]
    # The model's own vocabulary may hold the control strings too, and word or unigram models would find them in text.
    if isinstance(model["vocab"], dict):
        model["vocab"] = {names.get(piece, piece): i for piece, i in model["vocab"].items()}
    else:
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in model["vocab"]]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    if "merges" in model:
        model["merges"] = [m for m in model["merges"] if not _touches(m, names)]
    copy = Tokenizer.from_str(json.dumps(spec, ensure_ascii=False))
    renumbered = [(copy.token_to_id(names.get(text, text)), i) for text, i in ids.items()]
    return copy, {new: old for new, old in renumbered if new is not None and new != old}


def _touches(merge: Any, names: dict[str, str]) -> bool:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left in names or right in names or left + right in names


def _leading_bos(tokenizer: Any) -> list[int]:
    """What the tokenizer writes before a text that no template has prepared."""
    if tokenizer.bos_token_id is None:
        return []
    return [tokenizer.bos_token_id] if tokenizer("a").input_ids[:1] == [tokenizer.bos_token_id] else []
