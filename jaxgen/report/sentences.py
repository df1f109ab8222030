"""Words for the page and for report.json: lists, names, capitals, directions."""

import re
from collections.abc import Sequence


def listing(names: Sequence[str], last: str = "and") -> str:
    """Names as a sentence lists them.

    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}" if names else ""


def spaced(name: str) -> str:
    """A name of the report as words."""
    return name.replace("_", " ")


def sentence(text: str) -> str:
    """With a capital, but where it begins with the name of a file or with what else is no word.

    >>> sentence("known since 2014; see 'Mr. X'."), sentence("const.npz has no labels."), sentence("")
    ("Known since 2014; see 'Mr. X'.", 'const.npz has no labels.', '')
    """
    return text if re.match(r"\S*[._/\d]\w", text) else text[:1].upper() + text[1:]


def typeset(text: str) -> str:
    """The numbers of a sentence as a page writes them: a true minus, and no line ends before a per cent sign.

    >>> typeset("WGAN-GP -4.4, 95 % interval -6.10e-07 to 5 on run-3").replace("\u00a0", "~")
    'WGAN-GP −4.4, 95~% interval −6.10e−07 to 5 on run-3'
    """
    return re.sub(r"(?<![\w.-])-(?=\d)|(?<=\de)-(?=\d)", "−", text).replace(" %", "\u00a0%")


def direction(higher_is_better: bool | None) -> str:
    """Which way is better, in words and as an arrow."""
    if higher_is_better is None:
        return "↔ neither end is better"
    return "↑ higher is better" if higher_is_better else "↓ lower is better"
