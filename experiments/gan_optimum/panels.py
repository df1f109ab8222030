"""The pictures: learned critics over the optimal one, the value over the steps, and the bounds around T*."""

import math
from collections.abc import Mapping

import numpy as np

from experiments import plots
from experiments.gan_optimum.exact import DATA, TIMES
from experiments.gan_optimum.trained import LINES, SHOWN, Course
from experiments.laws import gaussian, log_ratio

COURSES = ("N(0, 1) and N(0.8, 1.3²)", "ring8 and half of its modes", "ring8 and its blurred copy")


def critics(results: Mapping[str, Course], closed: Mapping[str, float]) -> bytes:
    """Above: densities and critics on the line. Below: the value of the game over the steps."""
    picture, axes = plots.figure(
        "A trained critic finds p / (p + q), where its network can see the difference", 7.4, 2, 3
    )
    for i, (panel, name) in enumerate(zip(axes[0], list(LINES)[:3], strict=True)):
        x = SHOWN[:, None]
        q = gaussian(*LINES[name])
        p_x, q_x = np.exp(DATA.log_density(x)), np.exp(q.log_density(x))
        panel.fill_between(SHOWN, p_x, color=plots.BLUE, alpha=0.25, linewidth=0)
        panel.fill_between(SHOWN, q_x, color=plots.ORANGE, alpha=0.25, linewidth=0)
        panel.plot(SHOWN, (1 / (1 + np.exp(-log_ratio(DATA, q, x)))), color=plots.INK, linewidth=4)
        panel.plot(SHOWN, results[name].shown.T, color=plots.GREEN, linewidth=1)
        panel.set_title(name, fontsize=13)
        panel.set(xlim=(SHOWN[0], SHOWN[-1]), ylim=(0, 1.05), yticks=[0, 0.5, 1])
        if i == 0:
            panel.set_ylabel("probability of being real")
            words = {"optimal": plots.INK, "trained": plots.GREEN, "data p": plots.BLUE, "samples q": plots.ORANGE}
            for line, (word, colour) in enumerate(words.items()):
                plots.label(panel, 2.0, 0.97 - 0.11 * line, word, colour)
    for i, (panel, name) in enumerate(zip(axes[1], COURSES, strict=True)):
        course = results[name]
        at = np.maximum(course.stops, 0.7)  # 0 has no place on a log scale: it stands left of 1
        panel.axhline(-math.log(4), color=plots.FAINT, linewidth=1.5, linestyle="--")
        panel.axhline(closed[name], color=plots.INK, linewidth=2)
        panel.plot(at, course.value, color=plots.GREEN, linewidth=1)
        panel.set_xscale("log")
        panel.set(ylim=(-2.0, max(closed.values()) - 0.6), xlabel="steps of the critic")
        panel.set_title(name, fontsize=13)
        plots.plain(panel.xaxis)
        plots.label(panel, 0.8, closed[name] + 0.07, "2 JS - log 4", plots.INK)
        plots.label(panel, course.stops[-1] ** 0.5, -math.log(4) - 0.08, "-log 4", plots.FAINT)
        if i == 0:
            panel.set_ylabel("value of the game")
    return plots.png(picture)


def bounds(curves: Mapping[str, np.ndarray]) -> bytes:
    """How far each f-GAN bound is below its divergence, along a line of critics through the optimal one."""
    picture, axes = plots.figure("Every f-GAN bound touches its divergence at T*, and nowhere else", 4.8, 1, 2)
    panel, other = axes[0]
    colours = {"kl": plots.BLUE, "reverse_kl": plots.ORANGE, "pearson": plots.PURPLE, "hellinger": plots.GREEN}
    colours |= {"gan": plots.FAINT, "jensen_shannon": plots.INK}
    for name, colour in colours.items():
        style = "--" if name == "gan" else "-"
        panel.plot(TIMES, curves[name], color=colour, linestyle=style, zorder=3 if name == "gan" else 2)
    panel.axhline(0, color=plots.FAINT, linewidth=1)
    panel.plot(1, 0, "o", color=plots.INK, markersize=11, fillstyle="none", markeredgewidth=2)
    panel.set(xlim=(0, 2), ylim=(-0.6, 0.03), xlabel="times the logit of T*", ylabel="bound less divergence")
    for name in ("jensen_shannon", "hellinger", "pearson"):
        plots.label(panel, 2.03, float(curves[name][-1]), name.replace("_", "-"), colours[name], fontsize=12)
    plots.label(panel, 2.03, float(curves["gan"][-1]) - 0.035, "and gan", colours["gan"], fontsize=12)
    for name, y in (("kl", -0.51), ("reverse_kl", -0.56)):
        plots.label(panel, 1.7, y, name.replace("_", " "), colours[name], fontsize=12)
    steep = curves["total_variation"]
    other.plot(2 * TIMES, steep, color=plots.BLUE)
    other.axhline(0, color=plots.FAINT, linewidth=1)
    other.set(xlim=(0, 4), ylim=(-0.6, 0.03), xlabel="steepness of the critic")
    other.set_title("total variation: T* is a jump", fontsize=13)
    panel.set_title("six with a smooth T*", fontsize=13)
    return plots.png(picture)
