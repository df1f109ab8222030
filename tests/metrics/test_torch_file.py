"""Weights of an old torch.save: what is in them, and that a hostile file does nothing but be refused.

The files are written here operation by operation, after Python's own list of them (`pickletools`), without torch.
"""

import struct

import numpy as np
import pytest

from jaxgen.core import BadRequest
from jaxgen.metrics.torch_file import check_shapes, read_tensors

PROTO, STOP, MARK = b"\x80\x02", b".", b"("


def text(s):
    return b"X" + struct.pack("<I", len(s.encode())) + s.encode()


def whole(n):
    return b"J" + struct.pack("<i", n)


def tup(*parts):
    return MARK + b"".join(parts) + b"t"


def name(module, what):
    return f"c{module}\n{what}\n".encode()


def storage(key, count, kind="FloatStorage"):
    return tup(text("storage"), name("torch", kind), text(key), text("cpu"), whole(count), b"N") + b"Q"


def empty():
    return name("collections", "OrderedDict") + b")R"


def tensor(store, offset, shape, strides):
    sizes = tup(*map(whole, shape)), tup(*map(whole, strides))
    return name("torch._utils", "_rebuild_tensor_v2") + tup(store, whole(offset), *sizes, b"\x89", empty()) + b"R"


def numbers(values, dtype="<f4", count=None):
    values = np.asarray(values, dtype)
    return struct.pack("<q", len(values) if count is None else count) + values.tobytes()


HEAD = (
    PROTO + b"\x8a\x0a" + 0x1950A86A20F9469CFC6C.to_bytes(10, "little") + STOP,
    PROTO + whole(1001) + STOP,
    PROTO + b"}" + MARK + text("little_endian") + b"\x88u" + STOP,
)


SIX_NUMBERS = numbers(range(6))


def a_file(state, keys=("a",), stored=(SIX_NUMBERS,), head=HEAD):
    listed = PROTO + b"]" + MARK + b"".join(map(text, keys)) + b"e" + STOP
    return b"".join(head) + PROTO + state + STOP + listed + b"".join(stored)


def a_dict(**tensors):
    return empty() + MARK + b"".join(text(key) + value for key, value in tensors.items()) + b"u"


SIX = storage("a", 6)
GOOD = a_file(
    a_dict(
        straight=tensor(SIX, 0, (2, 3), (3, 1)),
        turned=tensor(SIX, 0, (3, 2), (1, 3)),
        part=tensor(SIX, 4, (2,), (1,)),
        scalar=tensor(storage("b", 1, "LongStorage"), 0, (), ()),
    )
    + b"}" + text("_metadata") + b"}sb",  # what BUILD sets on the dict
    ("a", "b"),
    (numbers(range(6)), numbers([7], "<i8")),
)  # fmt: skip


def test_tensors_are_the_views_of_their_storages():
    # Kills: strides that are not read; an offset that is left out; all storages read as float32; the order of storages
    # taken from the tensors.
    found = read_tensors(GOOD)
    assert found["straight"].tolist() == [[0, 1, 2], [3, 4, 5]] and found["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["part"].tolist() == [4, 5] and found["scalar"] == 7 and found["scalar"].dtype == np.int64
    assert found["straight"].dtype == np.float32 and list(found) == ["straight", "turned", "part", "scalar"]
    twice = a_dict(x=tensor(storage("b", 2), 0, (2,), (1,)), y=tensor(storage("a", 1), 0, (1,), (1,)))
    found = read_tensors(a_file(twice, ("a", "b"), (numbers([5]), numbers([1, 2]))))
    assert found["x"].tolist() == [1, 2] and found["y"].tolist() == [5]


def one(offset=0, shape=(6,), strides=(1,), count=6):
    return a_dict(x=tensor(storage("a", count), offset, shape, strides))


def called(*function, arguments=b")"):
    return name(*function) + arguments + b"R"


@pytest.mark.parametrize(
    "state",
    [
        called("os", "system", arguments=tup(text("touch {bad}"))),
        called("posix", "system", arguments=tup(text("touch {bad}"))),
        called("builtins", "eval", arguments=tup(text("open('{bad}', 'w')"))),
        called("torch", "load"),
        called("torch._utils", "_rebuild_tensor"),
        called("collections", "OrderedDict.__reduce__"),
        name("collections OrderedDict", "x") + b")R",
        b"(S'touch {bad}'\nios\nsystem\n",  # INST
        b"(" + name("os", "system") + text("touch {bad}") + b"o",  # OBJ
        name("os", "system") + tup(text("touch {bad}")) + b"\x81",  # NEWOBJ
        text("os") + text("system") + b"\x93" + tup(text("touch {bad}")) + b"R",  # STACK_GLOBAL
        b"\x82\x01",  # EXT1: a class by number
        a_dict() + text("x") + b"b",  # BUILD with something other than a dict
        name("collections", "OrderedDict") + b"}b" + empty(),  # BUILD on a name
        a_dict(x=tensor(SIX, 0, (6,), (1,))) + b"}" + text("k") + name("os", "system") + b"sb",  # a name without a use
        name("collections", "OrderedDict") + tup(tup(text("k"), whole(1))) + b"R",
        name("torch", "FloatStorage") + b")R",
        name("torch._utils", "_rebuild_tensor_v2") + b")R",
        a_dict(x=whole(3)),
        empty() + whole(1) + SIX + b"s",
        b"h\x00",  # what was never put there
        b"0",  # POP of nothing
        b"R",
        b"u",
        b"Q",
    ],
)
def test_nothing_is_executed_and_the_file_is_refused(state, tmp_path):
    # Kills: an unpickler; a name that is imported or called; each operation beside those that a dict of tensors needs;
    # an IndexError or a KeyError in place of the line.
    bad = tmp_path / "bad"
    with pytest.raises(BadRequest):
        read_tensors(a_file(state.replace(b"{bad}", str(bad).encode())))
    assert not bad.exists()


@pytest.mark.parametrize(
    "content, said",
    [
        (a_file(one(), head=(HEAD[1], HEAD[1], HEAD[2])), "no file of torch.save"),
        (a_file(one(), head=(*HEAD[:2], PROTO + b"}" + text("little_endian") + b"\x89s" + STOP)), "little-endian"),
        (a_file(one(), head=(b"\x80\x04" + HEAD[0][2:], *HEAD[1:])), "protocol 4"),
        (a_file(one(offset=1)), "beyond its storage"),
        (a_file(one(offset=-1)), "is none"),
        (a_file(one(strides=(-1,))), "is none"),
        (a_file(one(shape=(2, 3))), "is none"),
        (a_file(one(shape=(2,) * 9, strides=(0,) * 9)), "is none"),
        (a_file(one(shape=(0,))), "beyond its storage"),
        (a_file(one(shape=(2**30, 2**30), strides=(0, 0))), "more numbers than its storage"),
        (a_file(one(shape=(2**31 - 1,), strides=(2**31 - 1,))), "beyond its storage"),
        (a_file(one(count=7)), "6 numbers, and 7 are announced"),
        (a_file(one(), stored=(numbers(range(6), count=2**40),)), "announced"),
        (a_file(one(), keys=("b",)), "storages are not those"),
        (a_file(one(), keys=("a", "a")), "storages are not those"),
        (a_file(a_dict(x=tensor(SIX, 0, (6,), (1,)), y=tensor(storage("a", 3), 0, (3,), (1,)))), "have one key"),
        (a_file(one().replace(b"FloatStorage", b"HalfStorage")), "torch.HalfStorage"),
        (GOOD + b"x", "behind its numbers"),
        (b"", "damaged|cut"),
    ],
)
def test_what_is_wrong_is_said(content, said):
    # Kills: a view that reads what is not its own, wraps around, or makes 2^60 numbers of six; numbers that are read as
    # others; each check of the frame left out.
    with pytest.raises(BadRequest, match=said):
        read_tensors(content)


def test_a_file_that_is_cut_anywhere_is_refused():
    # Kills: numbers that are silently fewer; a traceback from the middle of an operation.
    for n in range(len(GOOD)):
        with pytest.raises(BadRequest):
            read_tensors(GOOD[:n])


def test_deep_values_are_no_recursion():
    # Kills: comparing, printing or walking what a file nests as deep as it likes.
    deep = b")" + b"\x85" * 20_000
    for state in (
        deep,
        a_dict(x=deep),
        tup(text("storage"), name("torch", "FloatStorage"), text("a"), deep, deep, b"N"),
    ):
        with pytest.raises(BadRequest):
            read_tensors(a_file(state + (b"Q" if state[:1] == MARK else b"")))


def test_shapes_are_checked():
    # Kills: a missing tensor, another shape or type, or a NaN that is let through.
    good = {"w": np.zeros((2, 3), np.float32)}
    check_shapes(good, {"w": (2, 3)})
    for tensors, said in (
        ({}, "lacks w"),
        ({"w": np.zeros((3, 2), np.float32)}, r"w is float32\[3, 2\]"),
        ({"w": np.zeros((2, 3), np.int64)}, r"w is int64"),
        ({"w": np.full((2, 3), np.nan, np.float32)}, "finite"),
    ):
        with pytest.raises(BadRequest, match=said):
            check_shapes(tensors, {"w": (2, 3)})
