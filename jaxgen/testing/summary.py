"""What an audit found, in words, and the assertions that tests make of it."""

import math
import textwrap
from typing import Any, NamedTuple

from jaxgen.core import BadRequest

FALSE_ALARM = 1e-4  # how often a right loss is called biased anywhere: the chance over all its leaves and directions
REACHED, CUT, NO_PATH, STOPPED = "reached", "cut", "no path", "stopped"


class Leaf(NamedTuple):
    """One leaf of params."""

    name: str
    shape: tuple[int, ...]
    reach: str
    """`reached`; `no path`: its gradient is zero for every draw, and the loss was not seen to depend on it; `cut`: the
    loss depends on it, but its gradient is zero for every draw, or biased and the same for every draw (though the
    dependence is not), or biased and zero on average; `stopped`: the loss depends on it, and its gradient is zero for
    every draw, as that of the exact value is."""
    finite: bool
    z: float  # of the direction furthest off: (mean gradient - reference) / standard error
    share: float  # of the reference derivative that the mean gradient makes up; nan where the reference is not resolved
    unseen: float  # the bias that would go unseen, relative to the reference derivative
    variance: float  # of the gradient from one draw, summed over entries
    snr: float  # norm of the mean gradient / root of the variance; infinite where no draw differs, 0 for no gradient


class Noise(NamedTuple):
    """One leaf of what `draw` returns."""

    name: str
    shape: tuple[int, ...]
    varies: bool  # another key gives another value
    used: bool  # putting in another draw's value changes the loss or its gradient


class Report(NamedTuple):
    """What `audit` found; `str(report)` is a table and what is not right, in 80 columns."""

    leaves: tuple[Leaf, ...]
    noise: tuple[Noise, ...]
    reuse: tuple[str, ...]  # sentences about keys used for two draws, and about noise that repeats itself
    alike: tuple[str, ...]  # sentences about noise that repeats itself within a leaf, as it may be meant to
    repeats: bool  # the same noise gives the same loss
    draws: int
    limit: float  # |z| up to here is right
    loss: float  # its mean over draws
    loss_error: float  # standard error of it
    bad_losses: int  # draws whose loss is not finite
    value: float | None  # the exact value, where one was given
    gradient: Any  # mean gradient, float64, in the structure of params

    def __str__(self) -> str:
        """The table and the faults."""
        return _text(self)


def faults(report: Report) -> tuple[str, ...]:
    """What is not right, a sentence each; empty where nothing is."""
    known = tuple(leaf for leaf in report.leaves if leaf.reach == CUT or not leaf.finite)  # said there
    return (*_reach(report), *_finite(report), *_bias(report, known), *_noise(report))


def assert_sound(report: Report) -> None:
    """Every assertion below at once.

    Raises:
      AssertionError: with the report, where `faults(report)` is not empty.
    """
    _demand(report, faults(report))


def assert_reached(report: Report) -> None:
    """Every leaf gets a gradient that depends on the noise where its effect on the loss does, or should get none.

    Raises:
      AssertionError: naming the leaves that are cut or have no path.
    """
    _demand(report, _reach(report))


def assert_unbiased(report: Report, *, unseen: float = math.inf) -> None:
    """No leaf's mean gradient is further from its reference than chance allows, by more than `Leaf.unseen` of it.

    Args:
      report: of an audit.
      unseen: the largest `Leaf.unseen` that will do; 0.5 demands that a bias of half the derivative had been noticed.

    Raises:
      AssertionError: naming the leaves.
    """
    blind = [leaf for leaf in report.leaves if leaf.reach not in (NO_PATH, STOPPED) and leaf.unseen > unseen]
    unresolved = f"not resolved: {_names(blind)}. A bias of {unseen:.2g} of the derivative could go unseen there: "
    unresolved += "audit more draws, or give `value` for less than 0.02."
    _demand(report, (*_bias(report), *([unresolved] if blind else [])))


def assert_noise_used(report: Report) -> None:
    """The loss uses every leaf of its noise, nothing else is random in it, and no key serves two draws.

    Raises:
      AssertionError: saying which of these does not hold.
    """
    _demand(report, _noise(report))


def assert_finite(report: Report) -> None:
    """Loss and gradient are finite in every draw, by `chex.assert_tree_all_finite` on their means.

    Raises:
      AssertionError: naming the leaves.
      BadRequest: where chex is not installed.
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
        (zero, "cut: {}. The loss depends on it, and its gradient is zero for every draw: something on the way is "
         "stopped, or it is discrete and has no score term."),
        (steady, "cut: {}. The loss depends on it through the noise, and its gradient is the same for every draw: the "
         "sample is stopped, and only terms without noise arrive."),
        (rest, "cut: {}. The mean loss depends on it, and its gradient varies about zero: the sample is stopped, or "
         "discrete, and a score stands there without its cost."),
        (gone, "no path: {}. Its gradient is zero for every draw, and the loss was not seen to depend on it: not "
         "at all, or less than it is rounded."),
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
        sentences.append("hidden randomness: the same noise gives another loss when asked again.")
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
            "if the loss is a surrogate, whose value is not the objective: only the exact `value` can judge it."
        )
    if blind := _blind(report):
        sentences.append(
            f"weak: {_names(blind)}. A bias of half the derivative could go unseen there: audit more draws, or at "
            "params where the loss depends on it more."
        )
    if report.value is not None and abs(report.loss - report.value) > 5 * report.loss_error + 1e-4 * abs(report.value):
        sentences.append("the mean loss is not the exact value: as it should be for a surrogate, and for nothing else.")
    return sentences


def _blind(report: Report) -> list[Leaf]:
    judged = [leaf for leaf in report.leaves if leaf.finite and leaf.reach not in (NO_PATH, STOPPED)]
    return [leaf for leaf in judged if leaf.unseen > 0.5 and abs(leaf.z) <= report.limit]


def _text(report: Report) -> str:
    judge = "finite differences (64, where these do)" if report.value is None else "an exact value"
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
    lines.append(f"|z| up to {report.limit:.2f} is right: about one right loss in {1 / FALSE_ALARM:,.0f} goes beyond,")
    lines.append("more where a few draws outweigh the rest.")
    wrong = faults(report)
    for sentence in (*wrong, *_remarks(report)):
        lines += textwrap.wrap(sentence, 80, subsequent_indent="  ", break_on_hyphens=False)
    if not wrong:
        open_ends = "; weak leaves stay open" if _blind(report) else ""
        lines.append(f"nothing wrong was found{open_ends}.")
    return "\n".join(lines)
