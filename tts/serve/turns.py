"""The turns of a request as our messages: texts as such, whatever has more in it as it was sent."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from tts.vocabulary.records import Message

_ROLES: dict[str, Any] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool",
}  # fmt: skip
_TEXTS = ("text", "input_text", "output_text")


class _Open(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")


class _Part(_Open):
    type: str
    text: str | None = None


class _Called(_Open):
    name: str
    arguments: str = "{}"


class _Call(_Open):
    function: _Called


class Turn(_Open):
    """One turn; what is not known of it is the policy's to read."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[_Part] | None = None
    tool_calls: list[_Call] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.content is None and self.role != "assistant":
            raise ValueError("content: Field required")
        return self

    def message(self) -> Message:
        """The turn as a message."""
        content = self.content or ""
        parts = content if isinstance(content, list) else [_Part(type="text", text=content)]
        text = "".join(part.text or "" for part in parts if part.type in _TEXTS)
        given = self.model_dump(exclude_unset=True).items()
        sent = {name: value for name, value in given if name == "content" or value not in (None, [])}
        plain = sent.keys() <= {"role", "content"} and all(part.type in _TEXTS for part in parts)
        return Message(role=_ROLES[self.role], content=text, raw=None if plain and self.role != "tool" else sent)


class _Function(_Open):
    name: str


class Tool(_Open):
    """A tool that may be called."""

    type: Literal["function"]
    function: _Function


class _Named(_Open):
    function: _Function


class Format(_Open):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None


ToolChoice = Literal["none", "auto", "required"] | _Named
