"""Compiled kernels as plain Python with every access checked: what would be a stray read there is an error here."""

from __future__ import annotations

import inspect
from types import ModuleType, SimpleNamespace
from typing import Any

import numba
import numpy as np


class Checked:
    """Bytes that refuse any index outside."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            assert 0 <= key.start <= key.stop <= len(self.data)
            return self.data[key]
        assert 0 <= key < len(self.data), f"read of byte {key} of {len(self.data)}"
        return int(self.data[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, slice):
            assert 0 <= key.start <= key.stop <= len(self.data)
        else:
            assert 0 <= key < len(self.data), f"write of byte {key} of {len(self.data)}"
            assert 0 <= value <= 255
        self.data[key] = value


def _load(width: int) -> Any:
    def load(data: Checked, offset: int) -> int:
        value = 0
        for i in range(width):
            value = value << 8 | data[int(offset) + i]
        return value

    return load


def plain(module: ModuleType, monkeypatch: Any) -> SimpleNamespace:
    """The functions of a kernel module, uncompiled."""

    def identity(*_args: Any, **_options: Any) -> Any:
        return lambda function: function

    with monkeypatch.context() as patch:
        patch.setattr(numba, "njit", identity)
        namespace: dict[str, Any] = {"__name__": module.__name__ + "_plain"}
        exec(compile(inspect.getsource(module), module.__file__ or "", "exec"), namespace)
    namespace["load16"], namespace["load32"] = _load(2), _load(4)
    return SimpleNamespace(**namespace)


def records(count: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """An array and a view of it whose items have attributes, as items have in compiled code."""
    array = np.zeros(count, dtype)
    return array, array.view(np.recarray)
