"""The allocator's settings, in a process of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from jaxgen.system import allocator

PROGRAM = """
import ctypes, runpy, sys
said = runpy.run_path(sys.argv[1])["keep_freed_memory"]() if len(sys.argv) > 1 else None
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096
size = 200_000_000
before = resident()
block = libc.malloc(size)
ctypes.memset(block, 1, size)
libc.free(block)
print(said, resident() - before > size // 2)
"""
BLOCKS = """
import ctypes, runpy, sys
functions = runpy.run_path(sys.argv[1])
functions["keep_freed_memory"]()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096
blocks = [libc.malloc(20_000_000) for _ in range(10)]
for block in blocks:
    ctypes.memset(block, 1, 20_000_000)
pin, held = libc.malloc(1000), resident()
for block in blocks:
    libc.free(block)
kept = resident()
print(kept > held - 50_000_000, functions["give_back"](), resident() < kept - 150_000_000)
"""


def run(*args, program=PROGRAM):
    return subprocess.run(
        [sys.executable, "-c", program, *args], capture_output=True, text=True, check=True
    ).stdout.split()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_freed_memory_is_kept():
    # Kills: a wrong parameter number; True without an effect.
    said, kept = run(str(Path(allocator.__file__)))
    assert said == kept
    assert run() == ["None", "False"]


def test_other_systems_are_left_alone(monkeypatch):
    # Kills: a crash, or a claim, where there is no mallopt.
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: pytest.fail("asked for the C library"))
    assert allocator.keep_freed_memory() is allocator.give_back() is False
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: object())
    assert allocator.keep_freed_memory() is allocator.give_back() is False


@pytest.mark.skipif(not hasattr(allocator.ctypes.CDLL(None), "malloc_trim"), reason="glibc only")
def test_what_was_kept_is_given_back():
    # Kills: a trim that does nothing; memory below a block that is held, kept.
    assert run(str(Path(allocator.__file__)), program=BLOCKS) == ["True", "True", "True"]
