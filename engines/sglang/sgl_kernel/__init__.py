"""Stands in for SGLang's GPU kernels where there is no GPU: anything can be imported from it, nothing can be called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn


class _Kernel:
    """A name of the real package; its attributes are such names, too."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, name: str) -> _Kernel:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Kernel(f"{self.__name__}.{name}")

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(f"{self.__name__} needs a GPU")


class _Submodules(MetaPathFinder, Loader):
    """Finds every submodule, at any depth."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:  # noqa: ARG002 - importlib's signature
        return ModuleSpec(fullname, self, is_package=True) if fullname.startswith(f"{__name__}.") else None

    def create_module(self, spec: ModuleSpec) -> None:
        """The usual module."""

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__

        def attribute(attribute: str) -> _Kernel:
            return getattr(_Kernel(name), attribute)

        module.__getattr__ = attribute  # type: ignore[method-assign]  # PEP 562


def __getattr__(name: str) -> _Kernel:
    return getattr(_Kernel(__name__), name)


sys.meta_path.append(_Submodules())
