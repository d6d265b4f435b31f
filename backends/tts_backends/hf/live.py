"""A model that is in memory already, even if it is trained between two requests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from tts import ConfigError
from tts_backends.checkpoints.chat import read_template
from tts_backends.hf.load import Loaded, Options, refuse_recurrent

_READ = 2**22  # elements of the weights that a digest reads, spread evenly; a smaller model is read whole
_PROBED = 8  # elements of each parameter that are looked at before every draw
_LOADING = {"dtype", "device", "gguf", "revision", "attn", "trust_remote_code"}


def live(name: str, model: Any, tokenizer: Any, options: Options) -> tuple[Loaded, Callable[[], str]]:
    """The model as the backend takes it, and what says what its weights are now.

    Raises `ConfigError` where the model cannot be used as it is.
    """
    if out_of_place := sorted(options.model_fields_set & _LOADING):
        raise ConfigError(f"{name!r} is loaded already: option {out_of_place[0]} cannot be given for it")
    # An adapter's layers sit inside the base model, whose forward pass takes positions as the decoder gives them.
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if not isinstance(base, PreTrainedModel):
        raise ConfigError(f"{name!r} is a {type(model).__name__}; from_model takes a loaded model of transformers")
    if base.training:
        raise ConfigError(
            f"{name!r} is in training mode, where dropout disturbs its responses; call model.eval() first"
        )
    _refuse_sharded(name, base)
    refuse_recurrent(name, base)
    return Loaded(base, tokenizer, read_template(options.chat_template), ""), _Weights(model, tokenizer)


def _refuse_sharded(name: str, model: Any) -> None:
    wrapped = any(type(module).__name__ == "FullyShardedDataParallel" for module in model.modules())
    if wrapped or any(type(p).__name__ == "DTensor" or hasattr(p, "ds_id") for p in model.parameters()):
        raise ConfigError(
            f"the parameters of {name!r} are sharded over processes (FSDP or DeepSpeed ZeRO-3) and no process can "
            "generate with its part; evaluate a saved checkpoint instead"
        )


class _Weights:
    """Digest of the weights, made anew when torch has counted a change of any parameter, or a few elements differ.

    Torch does not count what is done through `.data`, as DeepSpeed does; a step of an optimiser changes every weight,
    so that a few of each are enough to notice.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._state: tuple[Any, ...] = ()
        self._digest = ""

    def __call__(self) -> str:
        parameters = list(self._model.parameters())
        state = (*map(_changes, parameters), _probe(parameters))
        if state != self._state or not self._digest:
            self._state, self._digest = state, self._read()
        return self._digest

    def _read(self) -> str:
        vocabulary = self._tokenizer.backend_tokenizer.to_str()
        seen = hashlib.blake2b(f"{self._model.config.to_json_string()}{vocabulary}".encode(), digest_size=16)
        tensors = self._model.state_dict()
        step = max(1, sum(tensor.numel() for tensor in tensors.values()) // _READ)
        for name, tensor in tensors.items():
            part = tensor.detach().reshape(-1)[::step]
            packed = torch.empty(part.shape, dtype=part.dtype, device="cpu").copy_(part)
            seen.update(f"{name}{tuple(tensor.shape)}".encode())
            seen.update(packed.view(torch.uint8).numpy().tobytes())
        return seen.hexdigest()


def _changes(parameter: torch.Tensor) -> tuple[int, int]:
    version = 0 if parameter.is_inference() else parameter._version  # noqa: SLF001 - torch has no public name for it
    return parameter.data_ptr(), version


def _probe(parameters: Sequence[torch.Tensor]) -> bytes:
    """A few elements of each parameter, as they are now, in one transfer."""
    parts = [p.detach().reshape(-1)[:: max(1, p.numel() // _PROBED)] for p in parameters]
    together = torch.cat([part.to(parts[0].device, torch.float32) for part in parts])
    return bytes(together.cpu().numpy().tobytes())
