"""Claim 3a: what the minimax game is worth at its optimal critic, and whether training gets there."""

import dataclasses
from collections.abc import Mapping

from experiments.evidence import Claim, Evidence, Picture
from experiments.gan_optimum import exact, panels, trained
from experiments.gan_optimum.trained import Config

FULL = Config()
QUICK = dataclasses.replace(FULL, seeds=2, steps=400)

ABOUT = f"""In a GAN the critic D gives each example a probability of being real, and the generator G tries to have its
samples taken for real. Both play for one number, the *value of the game*: the mean of log D over real examples plus the
mean of log(1 - D) over samples; the critic raises it and the generator lowers it. If the density p of the data and the
density q of the generator are known, so is the best critic: D*(x) = p(x) / (p(x) + q(x)). The textbook says that the
game is then worth 2 JS - log 4, where JS is the Jensen-Shannon divergence between p and q (0 where they are equal,
log 2 where nothing is common to them). So a generator that plays against the best critic lowers a distance, and a
perfect one ends at -log 4 = -1.386.

Here p and q are known: bell curves on a line, loaded dice, and *ring8*, eight narrow Gaussians on a circle. The losses
that the library ships are evaluated at D* on one side, and the divergences are summed over the whole space on the
other, without any loss. *f-GAN* is the same idea for other divergences: a number T(x) for each example gives a lower
bound, which is tight for one best T*. *Saturating* and *non-saturating* are the two losses that the first GAN paper has
for the generator. Then critics are trained, by the library's step, against generators that stand still: small networks
that see samples alone, never p or q. Their value is taken over the true laws. Adam's rate ({FULL.rate:g}, falling to
zero along a cosine), the widths and the {FULL.steps:,} steps were set once, before the first run."""


def main(config: Config) -> Evidence:
    """The identities, the bounds, and trained critics."""
    rows, curves = exact.bounds()
    results = trained.courses(config)
    cases = trained.rows(results)
    closed = {name: row["closed_form"] for name, row in cases.items()}
    pictures = {
        "critics.png": Picture(
            f"Above: data and generator as densities, the optimal critic, and critics of {config.seeds} seeds after "
            f"{config.steps:,} steps. Below: the value of the game while the critic learns, a line for each seed; the "
            "black line is the most that any critic can reach.",
            panels.critics(results, closed),
        ),
        "bounds.png": Picture(
            "How far each bound is below its divergence, for N(0, 1) and N(0.8, 1.3²). Left: the logit of the best "
            "critic times a number; the ring is T* itself. Right: critics that rise ever more steeply where p = q.",
            panels.bounds(curves),
        ),
    }
    claims = (*_identities(rows), _training(cases, config))
    return Evidence("gan_optimum", ABOUT, claims, pictures, dataclasses.asdict(config))


_NOTHING_DRAWN = "Nothing is drawn at random here, so one pass is all there is."
_RULE = (
    f"A row agrees where both numbers differ by at most {exact.CLOSE:g} of the larger of 1 and the number. Supported "
    "if all rows agree, not supported if none does, else it depends."
)


def _identities(rows: Mapping[str, Mapping[str, float]]) -> tuple[Claim, ...]:
    values = {"games": exact.values(), "pairs": exact.relativistic()}
    slopes = {"generators": exact.slopes()}
    return (
        Claim(
            "3a",
            "GAN: a minimax game, in which D gives a probability and G fools it. At the best D it is worth 2 JS - log "
            "4, and -log 4 where data and generator are equal.",
            exact.agrees(values),
            f"{_RULE} The relativistic loss compares pairs; its least value is log 2 - JS of (real, fake) and (fake, "
            "real).",
            f"{_NOTHING_DRAWN} It is about a critic that knows both densities; the last claim is about learning.",
            values,
            1,
            "Read the critic's loss as a distance only while the critic is near its best; log 4 then says that it "
            "cannot tell samples from data.",
        ),
        Claim(
            "3a, generator",
            "Against the best critic the generator follows the gradient of a divergence.",
            exact.agrees(slopes),
            f"{_RULE} The gradient is in the mean of q = N(0.8, 1) at p = N(0, 1), the critic held at D*; that of the "
            "divergence is a difference quotient. For the non-saturating loss it is that of KL(q, p) - 2 JS (Arjovsky "
            "and Bottou 2017).",
            f"{_NOTHING_DRAWN} Total variation has a T* that jumps: it is flat wherever a sample falls, so its "
            "gradient is zero although the divergence has one.",
            slopes,
            1,
            "Choose the generator's loss by the gradient that it has at a good critic; do not train on a bound whose "
            "best critic is a step.",
        ),
        Claim(
            "3a, f-GAN",
            "Every f-GAN bound is tight at T*, and below its divergence elsewhere.",
            exact.tight({"bounds": rows}),
            f"Tight: within {exact.CLOSE:g} of the larger of 1 and the divergence. Below: at half the logit of T*, at "
            "that logit plus 1/2, and with a wave of height 0.3 on it (for total variation on twice log p/q). "
            "Supported if both hold in all rows, not supported if they fail in all, else it depends.",
            f"{_NOTHING_DRAWN} Three other critics and a curve are no proof; that is Fenchel's inequality.",
            {"bounds": rows},
            1,
            "If a bound is reported as a divergence, say that it is a lower bound: a weak critic makes it small.",
        ),
    )


def _training(cases: Mapping[str, Mapping[str, float]], config: Config) -> Claim:
    short = f"Unfinished: {config.steps:,} steps of {FULL.steps:,}. " if config.steps < FULL.steps else ""
    return Claim(
        "3a, training",
        "A critic that is trained on samples approaches that value.",
        trained.approaches({"cases": cases}),
        f"A case is reached where the mean over seeds ends within {trained.REACHED:g} nats of 2 JS - log 4. Supported "
        "if all are, not supported if none is or if a critic passes the value by more than 1e-5, else it depends.",
        f"{short}One small network for each space, fresh samples in every step, a generator that does not move. The "
        "blurred copy of ring8 differs from it at distances of 0.01 to 0.02 alone.",
        {"cases": cases},
        config.seeds,
        "A value near -log 4 means that samples are good or that the critic cannot see what is wrong with them: try a "
        "larger critic, or another scale of the data, before believing the first.",
    )
