"""The report of an audit, as text and as assertions for tests."""

import math
import textwrap
from typing import Any, NamedTuple

from jaxgen.core import BadRequest

FALSE_ALARM = 1e-4  # the chance that a correct loss is called biased in any leaf or direction
REACHED, CUT, NO_PATH, STOPPED = "reached", "cut", "no path", "stopped"


class Leaf(NamedTuple):
    """The results of one leaf of params."""

    name: str
    shape: tuple[int, ...]
    reach: str
    """`reached`: the leaf gets a gradient. `no path`: its gradient is zero for every draw, and no effect of the leaf on
    the loss was detected. `cut`: the loss depends on it, but its gradient is zero for every draw, or biased and the
    same for every draw (although the effect differs between draws), or biased and zero on average. `stopped`: the loss
    depends on it, and its gradient is zero for every draw, but so is that of the exact value."""
    finite: bool
    z: float  # (mean gradient - reference) / standard error, of the direction with the largest |z|
    share: float  # mean gradient / reference derivative; nan if the reference is too uncertain
    unseen: float  # the largest bias that would not be detected, relative to the reference derivative
    variance: float  # of the gradient of one draw, summed over entries
    snr: float  # norm of the mean gradient / root of the variance; infinite if all draws agree, 0 without a gradient


class Noise(NamedTuple):
    """The results of one leaf of the noise."""

    name: str
    shape: tuple[int, ...]
    varies: bool  # another key gives another value
    used: bool  # the value of another draw in its place changes the loss or its gradient


class Report(NamedTuple):
    """The result of `audit`; `str(report)` is a table and a list of faults, in 80 columns."""

    leaves: tuple[Leaf, ...]
    noise: tuple[Noise, ...]
    reuse: tuple[str, ...]  # sentences about keys that are used for two draws, and about repeated noise
    alike: tuple[str, ...]  # sentences about noise that is repeated within a leaf, which may be intended
    repeats: bool  # the same noise gives the same loss
    draws: int
    limit: float  # a larger |z| means bias
    loss: float  # its mean over draws
    loss_error: float  # standard error of it
    bad_losses: int  # draws whose loss is not finite
    value: float | None  # the exact value, if one was given
    gradient: Any  # mean gradient, float64, in the structure of params

    def __str__(self) -> str:
        """The table and the list of faults."""
        return _text(self)


def faults(report: Report) -> tuple[str, ...]:
    """The faults that the audit found, one sentence each; () if there are none."""
    known = tuple(leaf for leaf in report.leaves if leaf.reach == CUT or not leaf.finite)  # said there
    return (*_reach(report), *_finite(report), *_bias(report, known), *_noise(report))


def assert_sound(report: Report) -> None:
    """All assertions below at once.

    Raises:
      AssertionError: with the report, if `faults(report)` is not empty.
    """
    _demand(report, faults(report))


def assert_reached(report: Report) -> None:
    """No leaf is "cut" or has "no path".

    Raises:
      AssertionError: names the leaves that are cut or have no path.
    """
    _demand(report, _reach(report))


def assert_unbiased(report: Report, *, unseen: float = math.inf) -> None:
    """The mean gradient of no leaf differs significantly from its reference.

    Args:
      report: of an audit.
      unseen: the largest `Leaf.unseen` that is accepted; with 0.5, a bias of half the derivative must be detectable.

    Raises:
      AssertionError: names the leaves.
    """
    blind = [leaf for leaf in report.leaves if leaf.reach not in (NO_PATH, STOPPED) and leaf.unseen > unseen]
    unresolved = f"not resolved: {_names(blind)}. A bias of {unseen:.2g} of the derivative could remain undetected "
    unresolved += "there: audit with more draws, or give `value` for less than 0.02."
    _demand(report, (*_bias(report), *([unresolved] if blind else [])))


def assert_noise_used(report: Report) -> None:
    """The loss uses every leaf of its noise, has no other randomness, and uses no key for two draws.

    Raises:
      AssertionError: says which of these is not true.
    """
    _demand(report, _noise(report))


def assert_finite(report: Report) -> None:
    """Loss and gradient are finite in every draw, by `chex.assert_tree_all_finite` on their means.

    Raises:
      AssertionError: names the leaves.
      BadRequest: if chex is not installed.
    """
    try:
        import chex  # here, so that an audit needs no test library
    except ImportError:
        raise BadRequest("assert_finite needs chex: pip install 'jaxgen[testing]'.") from None
    tree = {"loss": report.loss, "gradient": report.gradient}
    chex.assert_tree_all_finite(tree, custom_message="\n".join(_finite(report)))


def _demand(report: Report, wrong: tuple[str, ...]) -> None:
    if wrong:
        raise AssertionError("\n".join(("the gradient audit found:", *wrong, "", str(report))))


def _names(leaves: list[Leaf]) -> str:
    return ", ".join(leaf.name for leaf in leaves)


def _reach(report: Report) -> tuple[str, ...]:
    cut = [leaf for leaf in report.leaves if leaf.reach == CUT]
    zero = [leaf for leaf in cut if leaf.snr == 0 and leaf.variance == 0]
    steady = [leaf for leaf in cut if leaf.snr > 1e4]
    rest = [leaf for leaf in cut if leaf not in (*zero, *steady)]
    gone = [leaf for leaf in report.leaves if leaf.reach == NO_PATH]
    sentences = (
        (zero, "cut: {}. The loss depends on it, but its gradient is zero for every draw: there is a stop_gradient on "
         "its path, or a discrete step without a score term."),
        (steady, "cut: {}. The loss depends on it through the noise, but its gradient is the same for every draw: the "
         "sample is stopped, and only terms without noise have a gradient."),
        (rest, "cut: {}. The mean loss depends on it, but its gradient varies about zero: the sample is stopped, or "
         "discrete, and the score term lacks its cost."),
        (gone, "no path: {}. Its gradient is zero for every draw, and no effect on the loss was detected: there is "
         "none, or it is below rounding."),
    )  # fmt: skip
    return tuple(sentence.format(_names(leaves)) for leaves, sentence in sentences if leaves)


def _finite(report: Report) -> tuple[str, ...]:
    sentences = []
    if report.bad_losses:
        sentences.append(f"not finite: the loss, in {report.bad_losses} of {report.draws} draws.")
    bad = [leaf for leaf in report.leaves if not leaf.finite]
    if bad:
        sentences.append(f"not finite: the gradient of {_names(bad)}.")
    return tuple(sentences)


def _bias(report: Report, known: tuple[Leaf, ...] = ()) -> tuple[str, ...]:
    off = [leaf for leaf in report.leaves if leaf not in known and abs(leaf.z) > report.limit]
    lost = [leaf for leaf in report.leaves if leaf not in known and math.isnan(leaf.z)]
    sentences = []
    if off:
        against = "the derivative of the mean loss" if report.value is None else "the gradient of the exact value"
        sentences.append(f"biased: {_names(off)}. The mean gradient is not {against}.")
    if lost:
        sentences.append(
            f"not judged: {_names(lost)}. Gradient, loss, or the loss at params a step away is not finite."
        )
    return tuple(sentences)


def _noise(report: Report) -> tuple[str, ...]:
    sentences = list(report.reuse)
    fixed = [noise.name for noise in report.noise if not noise.varies]
    idle = [noise.name for noise in report.noise if noise.varies and not noise.used]
    if not report.repeats:
        sentences.append("hidden randomness: the same noise gives another loss in a second evaluation.")
    if not any(noise.used for noise in report.noise):
        sentences.append("noise ignored: no noise changes the loss or its gradient.")
    elif idle:
        sentences.append(f"noise ignored: {', '.join(idle)} changes neither the loss nor its gradient.")
    if fixed:
        sentences.append(f"noise fixed: {', '.join(fixed)} is the same for every key.")
    return tuple(sentences)


def _remarks(report: Report) -> list[str]:
    sentences = list(report.alike)
    if report.value is None and any(abs(leaf.z) > report.limit for leaf in report.leaves):
        sentences.append(
            "if the value of the loss is not the objective (a surrogate loss), only an exact `value` can judge it."
        )
    if blind := _blind(report):
        sentences.append(
            f"weak: {_names(blind)}. A bias of half the derivative could remain undetected there: audit with more "
            "draws, or at params at which the loss depends on it more."
        )
    if report.value is not None and abs(report.loss - report.value) > 5 * report.loss_error + 1e-4 * abs(report.value):
        sentences.append("the mean loss differs from the exact value, which is right for a surrogate loss only.")
    return sentences


def _blind(report: Report) -> list[Leaf]:
    judged = [leaf for leaf in report.leaves if leaf.finite and leaf.reach not in (NO_PATH, STOPPED)]
    return [leaf for leaf in judged if leaf.unseen > 0.5 and abs(leaf.z) <= report.limit]


def _text(report: Report) -> str:
    judge = "finite differences (64 if they suffice)" if report.value is None else "an exact value"
    width = max(4, min(25, max(len(leaf.name) for leaf in report.leaves)))
    mean = f"mean loss {report.loss:.6g} +- {report.loss_error:.2g}"
    lines = [
        f"gradient audit: {report.draws} draws against {judge}",
        mean + ("" if report.value is None else f", exact value {report.value:.6g}"),
        f"{'leaf':{width}}  reach    finite         z   share  variance       SNR",
    ]
    for leaf in report.leaves:
        name = leaf.name if len(leaf.name) <= width else "..." + leaf.name[3 - width :]
        share = "-" if math.isnan(leaf.share) else f"{leaf.share:.0%}"
        row = f"{name:{width}}  {leaf.reach:7}  {'yes' if leaf.finite else 'NO':6}  {leaf.z:8.3g}  {share:>6}"
        lines.append(f"{row}  {leaf.variance:8.3g}  {leaf.snr:8.3g}")
    lines.append(f"|z| above {report.limit:.2f} means bias: one correct loss in {1 / FALSE_ALARM:,.0f} exceeds it,")
    lines.append("or more if a few draws dominate the mean.")
    wrong = faults(report)
    for sentence in (*wrong, *_remarks(report)):
        lines += textwrap.wrap(sentence, 80, subsequent_indent="  ", break_on_hyphens=False)
    if not wrong:
        open_ends = "; weak leaves stay open" if _blind(report) else ""
        lines.append(f"nothing wrong was found{open_ends}.")
    return "\n".join(lines)
