"""A small byte-level BPE tokenizer trained on a task's own prompts, with a chat template.

Decisions:
* Digits never merge with anything, so a number is one token per digit and place value can be learned.
* There is no word splitting, so an instruction sentence that every prompt shares shrinks to a few tokens.
* All 256 bytes are in the alphabet, so any text can be encoded.
* `<think>` and `</think>` are added tokens but not special: decoding keeps them, and nothing merges across them.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

PAD, EOS = "<|pad|>", "<|end|>"
_SPECIAL = (PAD, EOS, "<|system|>", "<|user|>", "<|assistant|>")
_THINK = ("<think>", "</think>")


def train_tokenizer(texts: Iterable[str], *, vocab_size: int, context: int) -> PreTrainedTokenizerFast:
    """A tokenizer of `vocab_size` entries with the chat template of this package."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(_SPECIAL))
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in _THINK])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in _THINK])
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token=EOS, pad_token=PAD, model_max_length=context, padding_side="left"
    )
    fast.chat_template = chat_template()
    return fast


def chat_template() -> str:
    """The chat template that the miniature model is trained and used with."""
    return resources.files("tts_trainers").joinpath("recipes", "miniature.jinja").read_text("utf-8")
