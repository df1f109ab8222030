"""Weights in a file of `torch.save` of before version 1.6, as NumPy arrays, without torch, and nothing is executed.

Such a file is five pickles, then the numbers. A pickle is a program, and unpickling it would run it: so it is not
unpickled. `pickletools.genops` only splits it into operations and their arguments, and `_Reader` plays those that build
numbers, strings, lists, tuples and dicts of plain values. Nothing is imported, looked up or called by a name of
the file: the names of classes and functions stay strings, and the four that stand for tensors and their dict are told
by comparison. Any other operation and any other name is refused.
"""

import io
import math
import pickletools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxgen.core import BadRequest

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # the first two pickles
TYPES: dict[str, np.dtype] = {"torch FloatStorage": np.dtype("<f4"), "torch LongStorage": np.dtype("<i8")}
DICT, TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
AXES = 8  # of a tensor, at most
PLAIN = ("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE")  # operations whose argument is a value
VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Refused(BadRequest):
    """A file that is not what it should be."""


class Name(NamedTuple):
    """A name of a class or a function, which is never looked up."""

    name: str


class Storage(NamedTuple):
    """Numbers that stand behind the pickles."""

    key: str
    dtype: np.dtype
    size: int


class View(NamedTuple):
    """A tensor: which numbers of a storage it holds."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in numbers


def read_tensors(content: bytes) -> dict[str, np.ndarray]:
    """The tensors of a state dict by name, float32 or int64.

    Raises:
      BadRequest: it is no such file, it is cut or has something behind its end, or it holds anything but such a dict.
    """
    file = io.BytesIO(content)
    if [_unpacked(file), _unpacked(file)] != [MAGIC, PROTOCOL]:
        raise Refused("it is no file of torch.save of before version 1.6")
    system = _unpacked(file)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise Refused("its numbers are not little-endian")
    state, keys = _unpacked(file), _unpacked(file)
    if not isinstance(state, dict) or not all(isinstance(view, View) for view in state.values()):
        raise Refused("it holds something other than a dict of tensors")
    storages = {view.storage.key: view.storage for view in state.values()}
    if any(view.storage != storages[view.storage.key] for view in state.values()):
        raise Refused("two of its storages have one key")
    if not isinstance(keys, list) or sorted(keys) != sorted(storages):
        raise Refused("its storages are not those of its tensors")
    numbers = {key: _numbers(file, storages[key]) for key in keys}
    if file.read(1):
        raise Refused("something stands behind its numbers")
    return {name: _viewed(name, view, numbers[view.storage.key]) for name, view in state.items()}


def _unpacked(file: io.BytesIO) -> Any:
    """The value of the next pickle."""
    reader = _Reader()
    try:
        for operation, argument, _ in pickletools.genops(file):
            if operation.name == "STOP":
                (value,) = reader.stack
                return value
            reader.play(operation.name, argument)
    except Refused:
        raise
    except (ValueError, IndexError, KeyError, TypeError) as error:  # it takes what is not there, or is cut
        raise Refused(f"it is damaged ({' '.join(str(error).split()) or type(error).__name__})") from error
    raise Refused("it is cut")


class _Reader:
    """The stack and the memo of a pickle, which hold plain values, `Name`, `Storage` and `View`."""

    def __init__(self):
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # what lies below each mark
        self.memo: dict[int, Any] = {}

    def play(self, name: str, argument: Any) -> None:
        """One operation."""
        stack = self.stack
        if name == "PROTO":
            if argument != 2:
                raise Refused(f"its pickles are of protocol {argument}, not 2")
        elif name in PLAIN:
            stack.append(argument)
        elif name in VALUES:
            stack.append(VALUES[name])
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "EMPTY_TUPLE":
            stack.append(())
        elif name in TUPLES:
            parts = [stack.pop() for _ in range(TUPLES[name])]
            stack.append(tuple(reversed(parts)))
        elif name == "MARK":
            self.below.append(stack)
            self.stack = []
        elif name in ("TUPLE", "APPENDS", "SETITEMS"):
            self._marked(name)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            _put(stack[-1], [key, value])
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name == "GLOBAL":
            if argument not in (DICT, TENSOR, *TYPES):
                raise Refused(f"it names {argument.replace(' ', '.')}, which is no part of a dict of tensors")
            stack.append(Name(argument))
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop()))
        elif name == "REDUCE":
            given, what = stack.pop(), stack.pop()
            stack.append(_made(what, given))
        elif name == "BUILD":
            if not isinstance(stack.pop(), dict) or not isinstance(stack[-1], dict):  # `_metadata`: versions of layers
                raise Refused("it sets the state of something other than a dict")
        else:
            raise Refused(f"it has the operation {name}, which no dict of tensors needs")

    def _marked(self, name: str) -> None:
        items, self.stack = self.stack, self.below.pop()
        if name == "TUPLE":
            self.stack.append(tuple(items))
        elif name == "SETITEMS":
            _put(self.stack[-1], items)
        elif isinstance(self.stack[-1], list) and all(isinstance(item, str) for item in items):
            self.stack[-1].extend(items)
        else:
            raise Refused("it has a list of something other than strings")


def _put(where: Any, items: list[Any]) -> None:
    """Keys and values in turn, into a dict."""
    if type(where) is not dict or len(items) % 2 or not all(isinstance(key, str) for key in items[::2]):
        raise Refused("it has a dict with keys other than strings")
    where.update(zip(items[::2], items[1::2], strict=True))


def _storage(identity: Any) -> Storage:
    kind, what, key, _, count, view = identity
    if kind != "storage" or not isinstance(what, Name) or not isinstance(key, str) or view is not None:
        raise Refused("it has something other than storages behind its pickles")
    if not _whole(count):
        raise Refused(f"storage {key} has no number of numbers")
    if what.name not in TYPES:
        raise Refused(f"storage {key} is of {what.name}")
    return Storage(key, TYPES[what.name], count)


def _made(what: Any, given: Any) -> Any:
    """What a call of a name stands for; nothing is called."""
    if what == Name(DICT) and given == ():
        return {}
    if what != Name(TENSOR):
        raise Refused("it makes something other than tensors and their dict")
    storage, offset, shape, strides, *_ = given
    if not isinstance(storage, Storage) or not _whole(offset) or not _wholes(shape) or not _wholes(strides):
        raise Refused("it has a tensor that is none")
    if len(shape) != len(strides) or len(shape) > AXES:
        raise Refused("it has a tensor that is none")
    return View(storage, offset, shape, strides)


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _wholes(values: Any) -> bool:
    return type(values) is tuple and all(map(_whole, values))


def _numbers(file: io.BytesIO, storage: Storage) -> np.ndarray:
    """The numbers of a storage, which begin with how many they are."""
    stored = int.from_bytes(file.read(8), "little", signed=True)
    if stored != storage.size:
        raise Refused(f"storage {storage.key} has {stored} numbers, and {storage.size} are announced")
    content = file.read(storage.size * storage.dtype.itemsize)
    if len(content) != storage.size * storage.dtype.itemsize:
        raise Refused("it is cut")
    return np.frombuffer(content, storage.dtype)


def _viewed(name: str, view: View, numbers: np.ndarray) -> np.ndarray:
    last = view.offset + sum((n - 1) * stride for n, stride in zip(view.shape, view.strides, strict=True))
    if 0 in view.shape or last >= len(numbers):
        raise Refused(f"{name} reaches beyond its storage")
    if math.prod(view.shape) > len(numbers):  # a stride of 0 would make any number of one
        raise Refused(f"{name} has more numbers than its storage")
    at = np.full(view.shape, view.offset)
    for axis, (n, stride) in enumerate(zip(view.shape, view.strides, strict=True)):
        at += (stride * np.arange(n)).reshape([-1 if i == axis else 1 for i in range(len(view.shape))])
    return numbers[at]


def check_shapes(tensors: Mapping[str, np.ndarray], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Each wanted tensor is there, float32 of its shape and finite.

    Raises:
      BadRequest: one is not.
    """
    for name, shape in wanted.items():
        if name not in tensors:
            raise Refused(f"it lacks {name}")
        tensor = tensors[name]
        if tensor.shape != shape or tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            is_now = f"{tensor.dtype}{list(tensor.shape)}"
            raise Refused(f"{name} is {is_now}, and float32{list(shape)} of finite numbers is needed")
