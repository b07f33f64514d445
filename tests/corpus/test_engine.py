"""The engine on tiny scripts: it keeps, resumes, judges again, and tells errors from verdicts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from corpus import __main__ as engine
from corpus import running
from corpus.cases import Case
from corpus.running import Shelf, report_on

SICK = """import torch
torch.manual_seed(0)
x, y = torch.randn(64, 4), torch.randn(64, 1)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(40):
    loss = torch.nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
print("loss", loss.item())
"""


@pytest.fixture
def case(tmp_path):
    script = tmp_path / "tiny.py"
    script.write_text(SICK)
    return Case("tiny", "sick", script, "tiny", "linear", ("GD905",), ("GD417",),
                ("loss.backward()", "optimizer = "))  # fmt: skip


@pytest.fixture
def runs(monkeypatch):
    """Counts the runs that are really made."""
    made = []
    really = running.run

    def run(case, folder, *options):
        made.append(case.label)
        return really(case, folder, *options)

    monkeypatch.setattr(running, "run", run)
    return made


def test_a_run_is_kept_judged_again_and_made_anew_when_the_script_changes(
    case, tmp_path, runs, monkeypatch
):
    shelf = Shelf(tmp_path / "kept")
    assert shelf.row(case) is None
    row = shelf.result(case)
    assert row["root"] is row["place"] is True
    assert row["early"] in (True, False)
    assert (row["verdict"], row["tool"], row["half"]) == ("sick", "gradoctor", case.half)
    assert row["printed"].startswith("loss ")
    assert Shelf(tmp_path / "kept").row(case) == row
    other = replace(case, accept=("GD401",))
    assert shelf.row(other) is None
    assert shelf.result(other)["root"] is False  # another label: judged again, not run again
    assert runs == ["tiny-sick"]
    with monkeypatch.context() as patch:
        patch.setattr(running, "judged_key", lambda case: "other rules")
        assert shelf.result(case)["root"] is True
    assert runs == ["tiny-sick"]
    case.script.write_text(SICK.replace("range(40)", "range(30)"))
    assert shelf.result(case)["recorded"] != row["recorded"]
    assert len(runs) == 2


def test_another_seed_runs_a_copy_with_its_lines_in_place(case, tmp_path):
    shelf = Shelf(tmp_path / "kept")
    first, second = shelf.result(case), shelf.result(replace(case, seed=1))
    assert first["printed"] != second["printed"]
    assert second["place"] is True
    assert first["findings"][0]["line"] == second["findings"][0]["line"]


def test_the_verdict_is_the_one_that_a_user_gets(case, tmp_path):
    report = report_on(case, tmp_path)
    row = Shelf(tmp_path / "kept").result(case)
    told = [(f["code"], f["level"], f["root"], f["line"]) for f in report["findings"]]
    assert [(f["code"], f["level"], f["root"], f["line"]) for f in row["findings"]] == told
    assert row["verdict"] == report["verdict"]


def test_an_error_is_no_verdict_and_is_tried_again(case, tmp_path, capsys):
    case.script.write_text("import torch\nraise SystemExit('out of data')\n")
    shelf = Shelf(tmp_path / "kept")
    rows = engine.run_all([case], shelf, jobs=1, fresh=False)
    assert "verdict" not in rows["tiny-sick"]
    assert "out of data" in rows["tiny-sick"]["error"]
    assert "ERROR" in capsys.readouterr().err
    case.script.write_text(SICK)
    assert "verdict" in engine.run_all([case], shelf, jobs=1, fresh=False)["tiny-sick"]


def test_it_goes_on_where_it_stopped(case, tmp_path, runs, monkeypatch, capsys):
    cases = [replace(case, name=name) for name in ("one", "two")]
    shelf = Shelf(tmp_path / "kept")
    judge = running.judge

    def stop(case, recording):
        if case.name == "two":
            raise KeyboardInterrupt
        return judge(case, recording)

    monkeypatch.setattr(running, "judge", stop)
    monkeypatch.setattr(engine, "chosen", lambda args: cases)
    asked = ["--jobs", "1", "--kept", str(shelf.folder)]
    assert engine.main(asked) == 130
    monkeypatch.setattr(running, "judge", judge)
    assert engine.main(asked) == 0
    assert runs == ["one-sick", "two-sick", "two-sick"]
    assert "[1/1, 0 min left] two-sick: sick" in capsys.readouterr().err


def test_a_half_written_result_is_made_again(case, tmp_path, runs):
    shelf = Shelf(tmp_path / "kept")
    shelf.result(case)
    (shelf.folder / "tiny-sick.json").write_text('{"judged": ')
    assert shelf.row(case) is None
    assert json.loads(json.dumps(shelf.result(case)))["root"] is True


def test_cases_are_chosen():
    def labels(*arguments):
        return [case.label for case in engine.chosen(engine.parse(arguments))]

    assert labels("hot_relu") == ["hot_relu-sick", "hot_relu-mended"]
    assert labels("gru_rows") == [f"gru_rows-healthy{end}" for end in ("", "-seed1", "-seed2")]
    assert labels("hot_relu", "--kind", "mended") == ["hot_relu-mended"]
    assert set(labels("--half", "tuning")).isdisjoint(labels("--half", "reporting"))
    assert labels("--architecture", "unet", "--seeds", "1", "--kind", "healthy")
    with pytest.raises(SystemExit, match="no_such_case"):
        labels("no_such_case")


def test_a_fault_can_be_named_only_after_it_shows(tmp_path):
    script = tmp_path / "later.py"
    sound = "    loss = torch.nn.functional.mse_loss(model(x), y)\n"
    faulty = (
        "    mse = (model(x) - y).pow(2).mean()\n    loss = torch.log(mse - 99 * (step >= 12))\n"
    )
    mends = {sound: faulty, "backward()\n": "backward()\n    optimizer.step()\n"}
    text = SICK
    for old, new in mends.items():
        text = text.replace(old, new)
    script.write_text(text)
    case = Case("later", "sick", script, "later", "linear", ("GD701",), lines=("torch.log(",))
    shelf = Shelf(tmp_path / "kept")
    assert shelf.result(case)["early"] is False
    row = shelf.result(replace(case, begins=12))
    assert row["early"] is True, row["said"]
    assert row["early_place"] is True
    assert row["early_sick"] is True
