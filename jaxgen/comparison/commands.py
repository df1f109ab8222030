"""What to do next with the models that a comparison leaves, as commands."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from jaxgen.comparison.contender import Contender
from jaxgen.comparison.outcome import Outcome
from jaxgen.system import files
from jaxgen.tasks import MAIN


def _known(folder: Path) -> bool:
    """Whether the command line can continue the run in `folder`: its recipe and its data have names."""
    path = folder / "config.json"
    if not path.exists():
        return False
    config = files.read_json(path.read_bytes())["config"]
    return config["recipe"] is not None and config["data"] is not None


def commands(
    out: Path, contenders: Mapping[str, Contender], outcomes: Mapping[str, Mapping[int, Outcome]], advice: Sequence
) -> list[dict[str, str]]:
    """Commands for one saved model of the first seed, preferably a leader; [] if the command line can use none."""
    leaders = [entry["difference"]["leader"] for entry in advice if entry["choose"] in ("vae", "gan", "hybrid")]
    names = [name for name in dict.fromkeys([*leaders, *contenders]) if _known(out / "models" / name)]
    if not names:
        return []
    name = names[0]
    steps = 10 * next(iter(outcomes[name].values())).steps[MAIN.name].model
    folder, picture = shlex.quote(str(out / "models" / name)), shlex.quote(f"{name}.png")
    return [
        {"what": f"samples of {name}", "command": f"jaxgen sample {folder} --out {picture}"},
        {"what": f"{name} trained ten times longer", "command": f"jaxgen train --resume {folder} --steps {steps}"},
    ]
