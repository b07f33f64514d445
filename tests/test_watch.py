"""``gradoctor.watch`` as a user has it: from a script, a class of their own, a notebook."""

import gc
import sys
import threading
import weakref
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.modules import module as torch_module
from torch.optim import optimizer as torch_optimizer

import gradoctor
from gradoctor.errors import GradoctorError, RunFileError
from gradoctor.store.files import writer_of

HERE = Path(__file__).name


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    if gradoctor.Checkup.current is not None:
        gradoctor.Checkup.current.stop()


class Net(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.first = nn.Linear(16, width)
        self.drop = nn.Dropout(0.1)
        self.last = nn.Linear(width, 4)

    def forward(self, x):
        return self.last(self.drop(torch.relu(self.first(x))))


def sigmoid_tower(depth=20, width=32):
    layers = []
    for _ in range(depth):
        layers += [nn.Linear(width, width), nn.Sigmoid()]
    return nn.Sequential(nn.Linear(16, width), nn.Sigmoid(), *layers, nn.Linear(width, 4))


def data(n=256):
    made = torch.Generator().manual_seed(1)
    x = torch.randn(n, 16, generator=made)
    return x, (x @ torch.randn(16, 4, generator=made)).argmax(1)


def train(model, optimizer, steps=30):
    x, y = data()
    losses = []
    for _ in range(steps):
        pick = torch.randint(0, len(x), (32,))
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[pick]), y[pick])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = nn.LSTM(4, 12, batch_first=True)
        self.last = nn.Linear(12, 4)

    def forward(self, x):
        return self.last(self.cells(x.view(-1, 4, 4))[0][:, -1])


class Seer(nn.Module):
    def __init__(self):
        super().__init__()
        self.look = nn.Conv2d(1, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.fire = nn.ReLU(inplace=True)
        self.last = nn.Linear(6 * 16, 4)

    def forward(self, x):
        return self.last(self.fire(self.norm(self.look(x.view(-1, 1, 4, 4)))).flatten(1))


class Halved(Net):
    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return super().forward(x)


def trained(make, watched: bool, steps=40):
    """Losses, weights and the random state after training, with or without a checkup."""
    torch.manual_seed(3)
    model = make()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    if watched:
        with gradoctor.watch(model, optimizer, quiet=True):
            losses = train(model, optimizer, steps)
    else:
        losses = train(model, optimizer, steps)
    held = [v.clone() for v in model.state_dict().values()]
    held += [v for state in optimizer.state.values() for v in state.values()]
    return losses, held, torch.get_rng_state()


def intercepted():
    """Every function and table of torch that watching may touch, as it stands."""
    from torch.nn.utils import clip_grad

    homes = {
        torch.autograd: ["backward", "grad"],
        torch.optim.Optimizer: ["zero_grad", "step", "__init__", "load_state_dict"],
        nn.Module: ["__init__", "__call__", "zero_grad", "train", "load_state_dict"],
        torch.Tensor: ["backward"],
        torch: ["compile"],
        torch.nn.utils: ["clip_grad_norm_", "clip_grad_value_"],
        clip_grad: ["clip_grad_norm_", "clip_grad_value_"],
        torch.amp.GradScaler: ["scale", "unscale_", "step", "update"],
        torch.utils.data.DataLoader: ["__init__", "__iter__"],
        torch.optim.lr_scheduler.LRScheduler: ["__init__", "step"],
    }
    functions = {
        (str(home), name): vars(home).get(name) for home, names in homes.items() for name in names
    }
    tables = {
        (module.__name__, name): len(table)
        for module in (torch_module, torch_optimizer)
        for name, table in vars(module).items()
        if name.startswith("_global_") and hasattr(table, "__len__")
    }
    return functions, tables, torch._C._len_torch_function_stack()


# ---- what it says ------------------------------------------------------------------------------
def test_a_healthy_net_is_healthy():
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with gradoctor.watch(model, optimizer, quiet=True) as checkup:
        train(model, optimizer, 300)
    found = checkup.diagnosis()
    assert found.verdict == "healthy", str(found)
    assert found.steps == 300


def test_a_sigmoid_tower_has_one_root_at_its_line_in_text_and_html(capsys):
    torch.manual_seed(0)
    model = sigmoid_tower()
    line = sys._getframe().f_lineno - 1
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gradoctor.watch(model) as checkup:
        train(model, optimizer, 200)
    found = checkup.diagnosis()
    roots = [f for f in found.to_dict()["findings"] if f["root"]]
    assert [f["code"] for f in roots] == ["GD101"], str(found)
    assert Path(roots[0]["file"]).name == HERE
    assert roots[0]["line"] == line
    told = capsys.readouterr()
    assert told.out == ""
    assert f"{HERE}:{line}: GD101 vanishing-gradient [sick]" in told.err
    assert str(checkup) == str(found)
    page = checkup._repr_html_()
    assert "GD101 vanishing-gradient" in page
    assert page == found._repr_html_()
    assert unclosed(page) == []


def test_layers_of_a_class_have_the_lines_of_its_init():
    model = Net()
    with gradoctor.watch(model, quiet=True) as checkup:
        train(model, torch.optim.SGD(model.parameters(), lr=0.1), 3)
    sites = {s.name: s for s in checkup.diagnosis().sites.values() if s.kind == "module"}
    source = Path(__file__).read_text().splitlines()
    assert "self.first" in source[sites["first"].line - 1]
    assert "self.last" in source[sites["last"].line - 1]


def unclosed(page: str) -> list[str]:
    """Tags left open, or closed in the wrong order."""
    left: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            left.append(tag)

        def handle_endtag(self, tag):
            assert left.pop() == tag

    Parser().feed(page)
    return left


def test_the_language_and_the_run_file_can_be_given(folder):
    model = Net()
    with gradoctor.watch(model, db=folder / "mine.db", lang="zh", quiet=True) as checkup:
        train(model, torch.optim.SGD(model.parameters(), lr=0.1), 30)
    assert checkup.path == folder / "mine.db"
    assert "观察了 30 步" in str(checkup)
    again = gradoctor.watch(db=folder / "mine.db")
    with pytest.raises(RunFileError, match="holds an earlier run"):
        again.start()


def test_no_training_is_said_honestly():
    with gradoctor.watch(quiet=True) as checkup:
        Net()(torch.zeros(2, 16))
    assert "no training step was seen" in str(checkup)


# ---- ways of using it --------------------------------------------------------------------------
def test_as_a_plain_object_it_tells_while_training_runs():
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    checkup = gradoctor.watch(model, optimizer, quiet=True)
    assert repr(checkup) == "<gradoctor checkup, not started>"
    assert checkup._repr_html_() is None
    assert checkup.start() is checkup
    train(model, optimizer, 40)
    early = checkup.diagnosis()
    assert early.steps >= 39
    assert early.meta["final"] is False
    train(model, optimizer, 40)
    checkup.stop()
    assert checkup.diagnosis().steps == 80
    assert checkup.diagnosis().meta["final"] is True


def test_several_models_have_the_names_of_their_keys():
    actor, critic = Net(), Net(8)
    optimizer = torch.optim.SGD([*actor.parameters(), *critic.parameters()], lr=0.1)
    with gradoctor.watch({"pi": actor, "value": critic}, optimizer, quiet=True) as checkup:
        x, _ = data(32)
        for _ in range(5):
            optimizer.zero_grad()
            (actor(x).square().mean() + critic(x).square().mean()).backward()
            optimizer.step()
    names = {s.name for s in checkup.diagnosis().sites.values() if s.kind == "module"}
    assert {"pi.first", "pi.last", "value.first", "value.last"} <= names


def test_models_in_a_list_have_the_names_of_their_variables():
    actor, critic = Net(), Net(8)
    with gradoctor.watch([actor, critic], quiet=True) as checkup:
        for net in (actor, critic):
            train(net, torch.optim.SGD(net.parameters(), lr=0.1), 3)
    names = {s.name for s in checkup.diagnosis().sites.values() if s.kind == "module"}
    assert {"actor.first", "critic.first"} <= names


def test_a_model_that_is_not_given_is_seen_all_the_same():
    with gradoctor.watch(quiet=True) as checkup:
        model = Net()
        train(model, torch.optim.SGD(model.parameters(), lr=0.1), 5)
    sites = checkup.diagnosis().sites.values()
    assert {"first", "last"} <= {s.name for s in sites if s.kind == "module"}


def test_it_keeps_no_model_alive():
    def checked():
        model = Net()
        checkup = gradoctor.watch(model, quiet=True).start()
        train(model, torch.optim.SGD(model.parameters(), lr=0.1), 3)
        checkup.stop()
        return checkup, weakref.ref(model)

    checkup, model = checked()
    gc.collect()
    assert model() is None
    assert checkup.diagnosis().steps == 3


# ---- what it must not do -----------------------------------------------------------------------
@pytest.mark.parametrize("make", [Net, Reader, Seer, Halved, lambda: sigmoid_tower(4)])
def test_training_is_the_same_bit_by_bit(make):
    losses, held, random = trained(make, watched=False)
    seen = trained(make, watched=True)
    assert seen[0] == losses
    assert all(torch.equal(a, b) for a, b in zip(seen[1], held, strict=True))
    assert torch.equal(seen[2], random)


def test_everything_is_put_back():
    before = intercepted()
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gradoctor.watch(model, optimizer, quiet=True):
        assert intercepted() != before
        train(model, optimizer, 5)
    assert intercepted() == before
    assert not model._forward_hooks
    assert not model.first._forward_hooks
    assert all(p._backward_hooks is None for p in model.parameters())


def test_an_exception_passes_through_and_the_file_is_closed(capsys):
    before = intercepted()
    model = Net()
    fault = ValueError("mine")
    checkup = gradoctor.watch(model)

    def crash():
        with checkup:
            train(model, torch.optim.SGD(model.parameters(), lr=0.1), 30)
            raise fault

    with pytest.raises(ValueError, match="mine") as caught:
        crash()
    assert caught.value is fault
    assert intercepted() == before
    assert not checkup.running
    assert checkup.diagnosis().steps == 30
    assert "30 steps watched" in capsys.readouterr().err
    assert writer_of(checkup.path) == 0
    assert "gradoctor-writer" not in {t.name for t in threading.enumerate()}


def test_quiet_prints_nothing(capsys):
    model = Net()
    with gradoctor.watch(model, quiet=True):
        train(model, torch.optim.SGD(model.parameters(), lr=0.1), 5)
    assert capsys.readouterr() == ("", "")


# ---- misuse ------------------------------------------------------------------------------------
def test_two_at_once_are_refused():
    with gradoctor.watch(quiet=True):
        other = gradoctor.watch(quiet=True)
        with pytest.raises(GradoctorError, match="Another checkup is running"):
            other.start()
    with other:
        assert other.running


def test_stop_without_start_and_a_second_start_are_refused():
    checkup = gradoctor.watch(quiet=True)
    with pytest.raises(GradoctorError, match="not running"):
        checkup.stop()
    with pytest.raises(GradoctorError, match="Nothing was watched"):
        checkup.diagnosis()
    checkup.start()
    with pytest.raises(GradoctorError, match="started before"):
        checkup.start()
    checkup.stop()
    with pytest.raises(GradoctorError, match="not running"):
        checkup.stop()


def test_it_may_be_stopped_inside_its_block():
    with gradoctor.watch(quiet=True) as checkup:
        checkup.stop()
    assert not checkup.running


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "net"}, "model is of type str"),
        ({"model": 3}, "model is of type int"),
        ({"model": {"a": 1}}, "model is of type int"),
        ({"optimizer": Net()}, "optimizer is of type Net"),
        ({"budget": 2}, "budget=2 is no share"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(arguments, words):
    with pytest.raises(GradoctorError, match=words):
        gradoctor.watch(**arguments)
