"""Helpers for sentences of the page and of report.json: lists, names, capitals, directions."""

import re
from collections.abc import Sequence


def listing(names: Sequence[str], last: str = "and") -> str:
    """Names joined by commas and, before the last, by `last`.

    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}" if names else ""


def spaced(name: str) -> str:
    """A name of the report with blanks in place of underscores."""
    return name.replace("_", " ")


def sentence(text: str) -> str:
    """`text` with a capital first letter, unless its first word is a file name or another non-word.

    >>> sentence("known since 2014; see 'Mr. X'."), sentence("const.npz has no labels."), sentence("")
    ("Known since 2014; see 'Mr. X'.", 'const.npz has no labels.', '')
    """
    return text if re.match(r"\S*[._/\d]\w", text) else text[:1].upper() + text[1:]


def typeset(text: str) -> str:
    """A sentence typeset for the page: a true minus sign in numbers, and no line break before a per cent sign.

    >>> typeset("WGAN-GP -4.4, 95 % interval -6.10e-07 to 5 on run-3").replace("\u00a0", "~")
    'WGAN-GP −4.4, 95~% interval −6.10e−07 to 5 on run-3'
    """
    return re.sub(r"(?<![\w.-])-(?=\d)|(?<=\de)-(?=\d)", "−", text).replace(" %", "\u00a0%")


def direction(higher_is_better: bool | None) -> str:
    """The direction in which a metric is better, as an arrow and in words."""
    if higher_is_better is None:
        return "↔ neither end is better"
    return "↑ higher is better" if higher_is_better else "↓ lower is better"
