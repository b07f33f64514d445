"""Diagnoses made by hand, and pages and remedies that no edit of the real ones changes."""

from __future__ import annotations

from typing import Any

from gradoctor.knowledge.language import normalise
from gradoctor.knowledge.pages import Page
from gradoctor.records import Baseline, Diagnosis, Evidence, Finding, Level, Site, Skipped
from gradoctor.remedies import Remedy

PAGES = {
    ("GD101", "en"): (
        "Early layers receive almost no gradient",
        "The gradient shrinks by {slope_bits:.1f} bits a layer on its way to the input: `{first}`"
        " receives {ratio} of what `{last}` does, so the first of {layers} layers do not learn.",
    ),
    ("GD101", "zh_CN"): (
        "前面几层几乎得不到梯度",
        "梯度每往输入方向传一层就缩小 {slope_bits:.1f} 比特：`{first}` 得到的只有 `{last}` 的"
        " {ratio}，因此 {layers} 层中的前几层学不到东西。",
    ),
    ("GD204", "en"): ("All samples look alike to the later layers", "From `{module}` on."),
    ("GD204", "zh_CN"): ("不同样本在后面的层里几乎一样", "从 `{module}` 开始。"),
    ("GD509", "en"): ("The loss is stuck at that of blind guessing", "Stuck at {level}."),
    ("GD509", "zh_CN"): ("损失停在盲猜的水平", "停在 {level}。"),
    ("GD603", "en"): (
        "The training data are not shuffled",
        "Batches hold {share:.0%} of the label variety that chance would give.",
    ),
    ("GD603", "zh_CN"): ("训练数据没有打乱", "每批标签的丰富程度只有随机时的 {share:.0%}。"),
    ("GD201", "en"): ("Many ReLU units never fire", "{dead:.0%} of `{module}` is dead."),
    ("GD201", "zh_CN"): ("许多 ReLU 单元从不激活", "`{module}` 有 {dead:.0%} 已经死亡。"),
    ("GD805", "en"): ("A bias before a norm does nothing", "`{module}` has one."),
    ("GD805", "zh_CN"): ("归一化之前的偏置没有作用", "`{module}` 有一个。"),
}
NAMES = {
    "GD101": "vanishing-gradient",
    "GD201": "dead-relu",
    "GD204": "rank-collapse",
    "GD509": "stuck-at-baseline",
    "GD603": "not-shuffled",
    "GD805": "bias-before-norm",
}
REMEDIES = (
    Remedy(
        "use_activation_init",
        ("GD101",),
        "nn.init.xavier_normal_(layer.weight, gain=5 / 3)\nnn.init.zeros_(layer.bias)",
    ),
    Remedy("replace_sigmoid_by_relu", ("GD101",), "nn.ReLU()  # instead of nn.Sigmoid()"),
    Remedy("normalise_before_activation", ("GD101",), "nn.LayerNorm(width)"),
    Remedy("add_residual_connections", ("GD101",), "x = x + block(x)"),
    Remedy("shuffle_the_data", ("GD603",), "DataLoader(dataset, batch_size=64, shuffle=True)"),
)
TEXTS = {
    ("use_activation_init", "en"): "Initialise the weights to suit the activation, so that the"
    " signal keeps its size from layer to layer.",
    ("use_activation_init", "zh_CN"): "按激活函数初始化权重，使信号逐层保持大小。",
    ("replace_sigmoid_by_relu", "en"): "Replace `nn.Sigmoid` in hidden layers: its slope is at most"
    " 1/4.",
    ("replace_sigmoid_by_relu", "zh_CN"): "隐藏层不要用 `nn.Sigmoid`：它的斜率最多 1/4。",
    ("normalise_before_activation", "en"): "Normalise before each activation.",
    ("normalise_before_activation", "zh_CN"): "在每个激活函数之前做归一化。",
    ("shuffle_the_data", "en"): "Let the loader shuffle.",
    ("shuffle_the_data", "zh_CN"): "让加载器打乱数据。",
}


def fake_page(code: str, lang: str = "en") -> Page:
    title, summary = PAGES[code, normalise(lang)]
    return Page(code, NAMES[code], title, summary, {}, normalise(lang))


def fake_remedies_for(code: str) -> tuple[Remedy, ...]:
    return tuple(r for r in REMEDIES if r.rank(code) is not None)


def fake_text(name: str, lang: str = "en") -> str:
    return TEXTS.get((name, normalise(lang)), name.replace("_", " "))


SITES = {
    0: Site(0, "run", "run"),
    **{
        i: Site(i, "module", f"layers.{i - 1}", "Linear", "/home/me/net/train.py", 42, i)
        for i in range(1, 21)
    },
    30: Site(30, "parameter", "layers.0.weight", "", "/home/me/net/train.py", 42),
    31: Site(31, "lossfn", "cross_entropy", "cross_entropy", "/home/me/net/train.py", 71),
    32: Site(32, "module", "norm", "BatchNorm1d", "/opt/lib/blocks.py", 9),
}
META: dict[str, Any] = {"cwd": "/home/me/net", "exit_code": 0, "run_file": ".gradoctor/train-1.db"}


def vanishing(**changes: Any) -> Finding:
    known: dict[str, Any] = {
        "level": Level.SICK,
        "sites": (1, 2, 3, 4, 5),
        "first_step": 20,
        "last_step": 299,
        "values": {
            "slope_bits": 2.12,
            "first": "layers.0",
            "last": "layers.19",
            "ratio": 9.9e-10,
            "layers": 20,
        },
        "evidence": (
            Evidence("actgrad.rms", -29.9, -10.0, "bits", 1),
            Evidence("update.ratio", 3.2e-4, 0.02, "share", 30),
            Evidence("lossfn.value", 0.004, 0.03, "r"),
        ),
        "exclusions": (("warm-up", False), ("converged", False)),
        "code": "GD101",
        "name": "vanishing-gradient",
        "root": True,
        "explains": ("GD204", "GD509"),
        "certainty": "likely",
        "rivals": ("GD601",),
    }
    return Finding(**{**known, **changes})


def knock_on(code: str, site: int) -> Finding:
    return Finding(
        level=Level.SICK,
        sites=(site,),
        first_step=100,
        last_step=299,
        values={"level": 2.303},
        code=code,
        name=NAMES[code],
        explained_by=("GD101",),
    )


NOT_SHUFFLED = Finding(
    level=Level.SUSPECT,
    file="/home/me/net/data.py",
    line=18,
    first_step=20,
    last_step=299,
    values={"share": 0.41},
    evidence=(Evidence("label.entropy", 0.41, 0.7, "ratio"),),
    exclusions=(("class-weights", True),),
    code="GD603",
    name="not-shuffled",
)
DEAD = Finding(
    level=Level.SICK,
    sites=(3, 4, 5, 6),
    first_step=40,
    last_step=299,
    values={"dead": 0.97},
    evidence=tuple(
        Evidence("act.dead_fraction", dead, 0.5, "fraction", site)
        for site, dead in ((3, 0.97), (4, 0.88), (5, 0.71), (6, 0.52))
    ),
    code="GD201",
    name="dead-relu",
    root=True,
)
PROBED = {
    "answers": [
        {"name": "overfit", "verdict": "memorises", "bad": False, "cautions": [], "steps": 60,
         "seconds": 4.2},
        {"name": "init", "verdict": "data-scale", "bad": True, "cautions": ["cut-short"],
         "steps": 1, "seconds": 2.5},
    ],
    "changes": [
        {"code": "GD101", "before": "suspect", "after": "sick"},
        {"code": "GD201", "before": "sick", "after": "suspect"},
        {"code": "GD204", "before": "sick", "after": "note"},
        {"code": "GD303", "before": "note", "after": None},
        {"code": "GD601", "before": None, "after": "confirmed"},
    ],
}  # fmt: skip
BIAS = Finding(level=Level.NOTE, sites=(32,), code="GD805", name="bias-before-norm")
SKIPPED = (
    Skipped("GD705", "missing:fact:scaler"),
    Skipped("GD706", "missing:fact:scaler"),
    Skipped("GD411", "missing:fact:scheduler"),
    Skipped("GD417", "too-short:300/600"),
    Skipped("GD418", "error:ValueError: odd"),
    Skipped("GD309", "no-baseline"),
)


def diagnosis(verdict: Any, findings: tuple[Finding, ...], **changes: Any) -> Diagnosis:
    known: dict[str, Any] = {
        "script": "/home/me/net/train.py",
        "verdict": verdict,
        "steps": 300,
        "findings": findings,
        "checks_run": tuple(f"GD1{i:02}" for i in range(39)),
        "skipped": SKIPPED,
        "overhead": 1.0142,
        "baseline": Baseline("cross_entropy", 2.3026),
        "sites": SITES,
        "meta": META,
    }
    return Diagnosis(**{**known, **changes})


def sick(**changes: Any) -> Diagnosis:
    found = (vanishing(), NOT_SHUFFLED, knock_on("GD204", 4), knock_on("GD509", 31), BIAS)
    return diagnosis("sick", found, **changes)


def dead(**changes: Any) -> Diagnosis:
    return diagnosis("sick", (DEAD,), **changes)


def suspect(**changes: Any) -> Diagnosis:
    return diagnosis("suspect", (NOT_SHUFFLED,), **changes)


def healthy(*findings: Finding, **changes: Any) -> Diagnosis:
    return diagnosis("healthy", findings, **changes)


def unseen(**changes: Any) -> Diagnosis:
    return diagnosis("healthy", (), steps=0, checks_run=(), overhead=None, **changes)
