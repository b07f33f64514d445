"""The checkup before training in a terminal: the verdict, the slope as a picture, what mends it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from gradoctor.knowledge.language import N_, Translator, Words
from gradoctor.knowledge.pages import page
from gradoctor.knowledge.plots import Curve, Plot
from gradoctor.prognosis import Cure, Fault, Forecast, Layer, Recurrence
from gradoctor.reporters._code import code_lines
from gradoctor.reporters._layout import NARROWEST, Line, cells, cut, marked, pad, paint, wrap
from gradoctor.reporters.plots.terminal import draw

SENTENCES: dict[str, str] = {
    "GD101": N_(
        "The gradient loses {bits:.2f} bits a layer on its way to the input (theory: "
        "{theory:.2f}): over {layers} layers it falls to {ratio:.0e} of what it was at {last}."
    ),
    "GD102": N_(
        "The gradient grows by {bits:.2f} bits a layer on its way to the input (theory: "
        "{theory:.2f}): over {layers} layers to {ratio:.0e} times what it was at {last}."
    ),
    "GD103": N_("One place blocks the gradient: most of it is lost between {layer} and the next."),
    "GD301": N_("{layer} starts with all weights 0, and no gradient comes back to leave it."),
    "GD302": N_("All weights of {layer} are equal: its units start as copies and stay so."),
    "GD701": N_("The output of {layer} is NaN or infinite before the first step."),
    "GD903": N_("{count} layers ran and no gradient came back to them, {layer} first."),
}
SENTENCES["GD303"], SENTENCES["GD304"] = SENTENCES["GD101"], SENTENCES["GD102"]

IN_TIME = N_(
    "The gradient grows by {bits:.2f} bits a step on its way into the past, over {steps} steps: "
    "clip it, and draw the recurrent weights orthogonal."
)
REMEMBER = {
    "LSTM": N_("with the bias of the forget gates at 3"),
    "RNN": N_("with orthogonal recurrent weights"),
}
"""What was done to the twin whose slope is told beside."""

CURES: dict[str, tuple[str, str]] = {
    "initialise": (
        N_("draw the weights anew, each layer matched to the activations around it"),
        "gradoctor.nn.initialise(model, inputs)",
    ),
    "relu": (
        N_("ReLU for these activations, and weights to match"),
        "nn.ReLU()  # for the activations\ngradoctor.nn.initialise(model, inputs)",
    ),
    "batch_norm": (
        N_("a batch norm before each activation"),
        "nn.Linear(d, d), nn.BatchNorm1d(d), activation",
    ),
    "layer_norm": (
        N_("a layer norm before each activation"),
        "nn.Linear(d, d), nn.LayerNorm(d), activation",
    ),
    "residual": (
        N_("residual connections, the branches initialised to match"),
        "x = x + layer(x)\ngradoctor.nn.initialise(model, inputs)",
    ),
}
"""What each change is, and the code of it."""

_NAME = 28
_ROWS = 12


def picture(found: Forecast) -> Plot:
    """Predicted and measured gradient by layer."""
    places = tuple(float(i) for i in range(len(found.layers)))
    return Plot(
        Words("Gradient by layer, before the first step", "第一步之前各层的梯度"),
        Words("layer, from the input", "层（从输入算起）"),
        Words("log2 of the norm a sample", "每个样本的范数，以 2 为底的对数"),
        (
            Curve(Words("predicted", "理论预测"), places,
                  tuple(layer.predicted for layer in found.layers)),
            Curve(Words("measured", "实测"), places,
                  tuple(layer.measured for layer in found.layers), points=True),
        ),
    )  # fmt: skip


def digest(found: Forecast, lang: str = "en") -> dict[str, Any]:
    """What is said, as plain data."""
    _ = Translator(lang)
    verdicts = {"healthy": _("healthy"), "suspect": _("suspect"), "sick": _("sick")}
    return {
        "verdict": found.verdict,
        "headline": _(
            "{model} on {inputs}: {verdict}", model=found.model, inputs=_inputs(found, _),
            verdict=verdicts[found.verdict],
        ),
        "slope": _slope(found, _),
        "times": [_time(layer, _) for layer in found.recurrences],
        "findings": [_finding(fault, found, lang) for fault in found.faults],
        "cures": [_cure(cure, _) for cure in found.cures],
        "unknown": _("no rule of theory, measured instead: {names}",
                     names=", ".join(found.unknown)) if found.unknown else "",
    }  # fmt: skip


def render(found: Forecast, lang: str = "en", width: int = 80, color: bool = False,
           plain: bool = False) -> str:  # fmt: skip
    """The checkup as text."""
    width = max(width, NARROWEST)
    report, _ = digest(found, lang), Translator(lang)
    lines: list[Line] = [[("gradoctor: ", "strong"), (report["headline"], report["verdict"])]]
    lines += wrap([(report["slope"], "")], width, ("  ", ""), 2)
    for said in report["times"]:
        lines += wrap([(said, "")], width, ("  ", ""), 4)
    for entry in report["findings"]:
        lines += [[], *_entry(entry, width)]
    if len(found.layers) > 1:
        lines += [[], *draw(picture(found), width, lang, plain=plain), []]
        lines += _table(found.layers, width, _)
    if report["cures"]:
        lines += [[], [(_("What would keep the gradient:"), "label")]]
        for cure in report["cures"]:
            lines += wrap(marked(cure["text"]), width, ("  ", ""), 4)
            lines += code_lines(cure["code"], width, 6)
    if report["unknown"]:
        lines += [[], *wrap([(report["unknown"], "dim")], width)]
    return paint(lines, color=color)


def _inputs(found: Forecast, _: Translator) -> str:
    kind, space, shapes = found.inputs.partition(" ")
    words = {"noise": _("noise"), "real": _("real data")}
    return words.get(kind, kind) + space + shapes


def _slope(found: Forecast, _: Translator) -> str:
    if len(found.layers) < 2:
        return _("There are too few layers to speak of depth.")
    said = _(
        "{n} layers: gradient {measured:+.2f} bits a layer towards the input, by theory "
        "{predicted:+.2f}",
        n=len(found.layers), measured=found.measured, predicted=found.predicted,
    )  # fmt: skip
    if found.depth_scale < 10 * len(found.layers):
        said += _("; depth scale {scale:.1f} layers", scale=found.depth_scale)
    return said + _(".")


def _time(layer: Recurrence, _: Translator) -> str:
    """How far back a recurrent layer sees, and the change that makes it see farther."""
    said = _(
        "{name} ({kind}): gradient {slope:+.2f} bits a step into the past, measured over {steps} "
        "steps",
        name=layer.name, kind=layer.kind, slope=layer.slope, steps=layer.steps,
    )  # fmt: skip
    if layer.horizon < layer.steps:
        said += _("; beyond {n:.0f} steps less than a thousandth is left", n=layer.horizon)
    if layer.mended is not None and abs(layer.mended) < abs(layer.slope):
        cure = _(REMEMBER[layer.kind])
        said += _("; {cure}: {slope:+.2f}", cure=cure, slope=layer.mended)
    return said + _(".")


def _finding(fault: Fault, found: Forecast, lang: str) -> dict[str, Any]:
    _ = Translator(lang)
    place = _place(found.layers[fault.layer]) if fault.layer >= 0 else fault.values["recurrent"]
    sentence = SENTENCES[fault.code] if fault.layer >= 0 else IN_TIME
    known = page(fault.code, lang)
    return {
        "code": fault.code, "name": known.name, "title": known.title, "level": fault.level,
        "level_words": {"note": _("note"), "suspect": _("suspect"), "sick": _("sick")}[fault.level],
        "place": place, "summary": _(sentence, **_values(fault.values)),
    }  # fmt: skip


def _values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a fault, with what sentences make of its slope."""
    if "slope" not in values:
        return dict(values)
    span = max(-1000.0, min(1000.0, values["span"]))
    return {**values, "bits": abs(values["slope"]), "theory": abs(values["predicted"]),
            "ratio": 2.0**span}  # fmt: skip


def _place(layer: Layer) -> str:
    if layer.file is None:
        return layer.name
    inside = os.path.relpath(layer.file)
    return f"{layer.file if inside.startswith('..') else inside}:{layer.line}"


def _cure(cure: Cure, _: Translator) -> dict[str, str]:
    text, code = CURES[cure.name]
    said = f"{round(cure.slope, 2) + 0.0:+.2f}"  # never -0.00
    if cure.measured is not None:
        figure = _("{slope} bits a layer by theory, {measured:+.2f} measured", slope=said,
                   measured=round(cure.measured, 2) + 0.0)  # fmt: skip
    else:
        figure = _("{slope} bits a layer by theory", slope=said)
    return {"name": cure.name, "text": f"{_(text)}: **{figure}**", "code": code}


def _entry(entry: dict[str, Any], width: int) -> list[Line]:
    head: Line = [
        (f"{entry['place']}: ", "place"), (f"{entry['code']} {entry['name']} ", "name"),
        (f"[{entry['level_words']}]", entry["level"]), (f" {entry['title']}", ""),
    ]  # fmt: skip
    return [*wrap(head, width, more=2), *wrap(marked(entry["summary"]), width, ("  ", ""), 2)]


def _table(layers: tuple[Layer, ...], width: int, _: Translator) -> list[Line]:
    """Layer by layer; of a deep network the first and the last."""
    sizes = (min(_NAME, max(8, width - 52)), 12, 9, 9, 8)
    heads = (_("layer"), _("then"), _("measured"), _("predicted"), _("signal"))
    lines: list[Line] = [[(_row(heads, sizes), "label")]]
    cut_out = len(layers) > _ROWS
    for i, layer in enumerate(layers):
        if cut_out and _ROWS // 2 <= i < len(layers) - _ROWS // 2:
            if i == _ROWS // 2:
                lines.append([("  …", "dim")])
            continue
        figures = (_bits(layer.measured), _bits(layer.predicted), _bits(layer.signal))
        lines.append([(_row((layer.name, layer.activation, *figures), sizes), "")])
    return lines


def _row(words: tuple[str, ...], sizes: tuple[int, ...]) -> str:
    """Two words from the left, then figures from the right."""
    row = []
    for column, (word, size) in enumerate(zip(words, sizes, strict=True)):
        text = cut(word, size)
        row.append(pad(text, size) if column < 2 else " " * (size - cells(text)) + text)
    return "  " + "  ".join(row).rstrip()


def _bits(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.1f}"
