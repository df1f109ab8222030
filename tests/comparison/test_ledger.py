"""What a comparison leaves on the disk while it runs comes back as it was."""

import json
import math

import numpy as np
import pytest

from jaxgen.comparison import ledger
from jaxgen.comparison.contender import Steps
from jaxgen.comparison.outcome import Outcome
from jaxgen.comparison.settings import Settings
from jaxgen.core import BadRequest


def outcome(value, **more):
    made = Outcome(
        {"synthesise": {"frechet": value, "lost": math.nan, "far": math.inf}},
        {"synthesise": {"25": -math.inf, "50": 0.1 + 0.2}},
        {"synthesise": "latent"},
        {"step": [1, 2], "seconds": [0.1, 0.2], "losses": {"loss": [1.0, math.nan]}},
        {"Samples/odd: 1": np.arange(6, dtype=np.float32).reshape(2, 3)},
        1.5,
        "",
        {"main": Steps(8, 4, (2, 4))},
    )
    return made._replace(**more)


def test_outcomes_come_back_as_they_were(tmp_path):
    # Kills: a rounded figure; NaN that is no JSON, or comes back as None; pictures of another model; steps as lists.
    done = {"vae": outcome(1 / 3), "r3gan": outcome(np.float32(0.1), failed="diverged.")}
    ledger.save(tmp_path, 7, done, {"baseline: PCA": {"represent": {"accuracy": 0.25}}}, pictures=True)
    ledger.save(tmp_path, 10, {"vae": outcome(2.0)}, {}, pictures=False)
    outcomes, baselines = ledger.load(tmp_path)
    assert list(baselines) == [7, 10] and baselines[7] == {"baseline: PCA": {"represent": {"accuracy": 0.25}}}
    for name, then in done.items():
        now = outcomes[name][7]
        figures = {"synthesise": {n: float(v) for n, v in then.figures["synthesise"].items()}}
        assert repr(now._replace(pictures={})) == repr(then._replace(pictures={}, figures=figures))
        (title,) = now.pictures
        assert title == "Samples/odd: 1"
        np.testing.assert_array_equal(now.pictures[title], then.pictures[title])
    assert list(outcomes["vae"]) == [7, 10] and outcomes["vae"][10].pictures == {} and list(outcomes["r3gan"]) == [7]
    json.loads((tmp_path / "seeds" / "7.json").read_text(), parse_constant=pytest.fail)


def test_what_was_asked_for_comes_back(tmp_path):
    # Kills: steps of one model for another; a second beginning that overwrites the first; tuples as keys of JSON.
    recorded = {("vae", 0): {"main": Steps(8, 0, (2, 4))}, ("gan", 1): {"detect": Steps(3, 1, ())}}
    settings = Settings(data="cancer", models=("vae", "gan"), seeds=2, out="elsewhere")
    ledger.begin(tmp_path, settings, "abc", recorded, {"synthesise": "frechet"})
    ledger.begin(tmp_path, Settings(), "other", None, {})
    asked, digest, found = ledger.read(tmp_path)
    assert digest == "abc" and found == recorded and "out" not in asked
    again = {name: tuple(value) if isinstance(value, list) else value for name, value in asked.items()}
    assert Settings(**again) == Settings(data="cancer", models=("vae", "gan"), seeds=2)


def test_seeds_of_other_headlines_are_not_mixed(tmp_path):
    # Kills: a comparison that goes on with another figure than it began with; one of an earlier version
    # refused, or taken for one of a feature space that it did not know.
    ledger.begin(tmp_path, Settings(), "abc", None, {"synthesise": "frechet"})
    ledger.check_headlines(tmp_path, {"synthesise": "frechet", "restore": "psnr"})
    with pytest.raises(BadRequest, match=r"begun with frechet as .* would now be frechet_effnet: install or remove"):
        ledger.check_headlines(tmp_path, {"synthesise": "frechet_effnet"})
    (tmp_path / "comparison.json").write_text('{"format": 1}')
    ledger.check_headlines(tmp_path, {"synthesise": "frechet", "detect": "auroc"})
    with pytest.raises(BadRequest, match="begun with frechet as"):
        ledger.check_headlines(tmp_path, {"synthesise": "frechet_effnet"})


def test_what_is_damaged_is_named(tmp_path):
    # Kills: a traceback from a file that was cut short.
    with pytest.raises(BadRequest, match="holds no comparison that finished a seed"):
        ledger.read(tmp_path)
    (tmp_path / "comparison.json").write_text('{"format": 1')
    with pytest.raises(BadRequest, match=r"comparison\.json is damaged"):
        ledger.read(tmp_path)
    ledger.save(tmp_path, 3, {"vae": outcome(1.0)}, {}, pictures=True)
    (tmp_path / "seeds" / "3.npz").write_bytes(b"PK")
    with pytest.raises(BadRequest, match=r"3\.json is damaged .*: remove it, and its seed is trained again"):
        ledger.load(tmp_path)
