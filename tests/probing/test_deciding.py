"""Which probe is asked for what."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradoctor.probes import DECIDES, PROBES, command, target_of, to_ask
from gradoctor.records import Diagnosis, Finding, Level
from gradoctor.rules import RULES

META = {"script": "train.py", "argv": ["train.py", "--name", "a b"]}


def finding(code: str, level: Level = Level.SICK, **more: object) -> Finding:
    return Finding(level, code=code, name=code, **more)  # type: ignore[arg-type]


def diagnosis(*found: Finding, verdict: str = "sick", **meta: object) -> Diagnosis:
    return Diagnosis("train.py", verdict, 100, found, (), (), meta={**META, **meta})  # type: ignore[arg-type]


def answered(name: str, *cautions: str) -> dict[str, object]:
    return {"probed": {"answers": [{"name": name, "cautions": list(cautions)}], "changes": []}}


class TestTable:
    def test_codes_and_probes_exist(self):
        assert set(DECIDES) <= set(RULES)
        assert {name for names in DECIDES.values() for name in names} == set(PROBES)
        for names in DECIDES.values():
            assert len(set(names)) == len(names) > 0

    def test_every_rule_that_reads_an_answer_has_its_probe_asked(self):
        """A probe that a rule weighs by name is among those that decide on its code."""
        homes = {
            "init": "at_fault(", "overfit": 'probed(run, "overfit")',
            "train-eval": 'probed(run, "train-eval")', "causal": 'probed(run, "causal")',
            "learning-rate": 'probed(run, "learning-rate")',
            "sharpness": 'probed(run, "sharpness")',
            "plasticity": 'probed(run, "plasticity")',
        }  # fmt: skip
        import gradoctor.rules as ledger

        text = Path(ledger.__file__).read_text(encoding="utf-8")
        seen = 0
        for code, rule in RULES.items():
            module = re.search(rf"from (\S+) import {rule.judge.__name__}\b", text)
            assert module
            source = Path(*[Path(ledger.__file__).parents[2]], *module[1].split("."))
            read = source.with_suffix(".py").read_text(encoding="utf-8")
            for probe, sign in homes.items():
                if sign in read and code != "GD611":  # only ever a note: no run is asked for it
                    assert probe in DECIDES[code], (code, probe)
                    seen += 1
        assert seen >= 6


class TestAsking:
    @pytest.mark.parametrize(
        ("found", "wanted"),
        [
            ((finding("GD509", root=True, certainty="open"),), ("overfit", "init")),
            ((finding("GD304", root=True, certainty="likely", rivals=("GD401",)),),
             ("init", "learning-rate", "sharpness")),
            ((finding("GD304", root=True, certainty="evident"),), ()),
            ((finding("GD903", root=True, certainty="proven"),), ()),
            ((finding("GD916", Level.SUSPECT),), ("causal",)),
            ((finding("GD916", Level.NOTE),), ()),
            ((finding("GD403", Level.SUSPECT, explained_by=("GD903",)),), ()),
            ((finding("GD701", root=True, certainty="likely"),), ()),
        ],
    )  # fmt: skip
    def test_only_what_is_in_doubt(self, found, wanted):
        assert to_ask(diagnosis(*found)) == wanted

    def test_never_of_a_healthy_run(self):
        assert to_ask(diagnosis(finding("GD403", Level.SUSPECT), verdict="healthy")) == ()

    def test_not_twice_unless_it_was_cut_short(self):
        open_ = finding("GD509", root=True, certainty="open")
        assert to_ask(diagnosis(open_, **answered("overfit"))) == ("init",)
        assert to_ask(diagnosis(open_, **answered("overfit", "cut-short")))[0] == "overfit"


class TestCommand:
    open_ = finding("GD509", root=True, certainty="open")

    def test_it_can_be_typed(self):
        assert command(diagnosis(self.open_)) == "gradoctor probe overfit train.py --name 'a b'"

    def test_a_module_is_run_as_one(self):
        meta = {"module": "pkg.train", "script": "pkg.train", "argv": ["pkg.train", "3"]}
        assert command(diagnosis(self.open_, **meta)) == "gradoctor probe overfit -m pkg.train 3"

    @pytest.mark.parametrize(
        "meta",
        [
            {"argv": []}, {"argv": None}, {"world_size": 2}, {"rank": 1},
            {"argv": ["/lib/ipykernel_launcher.py", "-f"], "script": "<ipython>"},
        ],
    )  # fmt: skip
    def test_what_no_probe_can_run(self, meta):
        assert target_of({**META, **meta}) is None
        assert command(diagnosis(self.open_, **meta)) is None

    def test_nothing_in_doubt(self):
        assert command(diagnosis(verdict="healthy")) is None
