"""The mutation script itself: what it changes, what it leaves alone, how it counts. `mutants.py` says how to run it."""

import ast

import mutants
import pytest
import sites

SOURCE = '''
"""A docstring: 1 + 1."""
import math
from typing import Any

Pair = tuple[int, int]
Rate = float | int


def area(wide: float, high: float, *, scale: int = 3) -> float:
    """One more: 2 - 2."""
    if wide < 0 or not high:
        raise ValueError(f"not {wide} and {high + 1}: give -1 more")
    check(wide, high)
    left, right = math.exp(-wide), {"key": 0.5}
    right["key"] += left
    return max(left, right["key"], key=scale) if wide else high
'''
EXPECTED = {
    "wide -> high",  # a parameter of the same annotation
    "left -> right",  # bound in one assignment
    "wide < 0 -> wide <= 0",
    "wide < 0 -> wide > 0",
    "wide < 0 or not high -> wide < 0 and (not high)",
    "wide < 0 or not high -> not high",
    "not high -> high",
    "0 -> 1",
    "0.5 -> 1.0",
    "3 -> 4",
    "'key' -> 'key_'",
    "-wide -> wide",
    "if wide < 0 or not high -> if False",
    "if wide < 0 or not high -> if not (wide < 0 or not high)",
    "check(wide, high) -> pass",
    "check(wide, high) -> check(high, wide)",
    "math.exp(-wide) -> -wide",
    "math.exp(-wide) -> math.expm1(-wide)",
    "right['key'] += left -> right['key'] -= left",
    "right['key'] += left -> right['key'] = left",
    "right['key'] += left -> pass",
    "max(left, right['key'], key=scale) -> max(left, right['key'])",
    "max(left, right['key'], key=scale) if wide else high -> high",
}


def changes(source):
    return [f"{one.before} -> {one.after}" for site in sites.mutants(source) for one in site]


def test_sites():
    # Kills: a kind of change that is never made.
    found = changes(SOURCE)
    assert set(found) >= EXPECTED, EXPECTED - set(found)


def test_text_types_and_imports_are_left_alone():
    # Kills: a mutant that no test could notice, or any would: it would flatter the rate, or spoil it.
    for before in ("Pair", "tuple", "int", "float", "math", "Any", "raise", "more", "2"):
        assert not [one for one in changes(SOURCE) if one.startswith((f"{before} ", f"{before}["))], before
    assert {"1 -> 2", "high + 1 -> high - 1", "wide -> scale"}.isdisjoint(changes(SOURCE))


def test_each_mutant_is_another_program():
    # Kills: a change that stays in the tree of the next mutant; one that changes nothing, or two things.
    plain = ast.unparse(ast.parse(SOURCE)).splitlines()
    for site in sites.mutants(SOURCE):
        for one in site:
            text = sites.write(SOURCE, one)
            compile(text, "mutant", "exec")
            lines = text.splitlines()
            assert len(lines) == len(plain) and sum(a != b for a, b in zip(plain, lines, strict=True)) == 1, one


def test_the_sample_is_seeded_and_takes_no_site_twice():
    # Kills: a sample that nobody can repeat; a file that is never drawn from; --only that is ignored.
    chosen = mutants.sample("bounds", 1000, 0)
    whole = sites.mutants((mutants.HOME / "jaxgen/objectives/bounds.py").read_text())
    assert len(chosen) == len(whole) > 10
    assert all(one in own for (_, one), own in zip(chosen, whole, strict=True))
    assert mutants.sample("bounds", 5, 1) == mutants.sample("bounds", 5, 1) != mutants.sample("bounds", 5, 2)
    assert mutants.sample("jaxgen/objectives/bounds.py", 5, 1) == mutants.sample("bounds", 5, 1)
    assert mutants.sample("nosuch", 5, 0) == []


def test_every_file_has_its_tests():
    # Kills: a module whose mutants meet the tests of another, or none.
    for file in mutants.files():
        if sites.mutants((mutants.HOME / file).read_text()):
            assert all((mutants.HOME / test).exists() for test in mutants.judges(file)), file
    assert {"jaxgen/training/step.py", "jaxgen/training/turns.py"} <= set(mutants.files())


@pytest.mark.parametrize("file, line, change", mutants.EQUIVALENT)
def test_arguments_are_about_what_stands_there(file, line, change):
    # Kills: an argument that outlives the line it is about.
    source = (mutants.HOME / file).read_text()
    assert [
        one
        for site in sites.mutants(source)
        for one in site
        if f"{one.before} -> {one.after}" == change and source.splitlines()[one.line - 1].strip() == line
    ]


def outcome(fate, why=None):
    return mutants.Outcome("f", 1, "sign", "-x -> x", fate, "", 1.0, why)


def test_the_count_is_honest():
    # Kills: equivalent mutants counted as killed; the rate without them over the whole; a timeout that hides.
    found = [outcome("killed")] * 6 + [outcome("timeout")] + [outcome("alive")] * 2 + [outcome("alive", "same bits")]
    assert mutants.verdict(found) == (
        "7 of 10 killed, 70.0% (1 of them by the limit of 60 s); without the 1 argued to be equivalent 77.8%"
    )
    assert "equivalent: same bits" in mutants.show(found[-1])
