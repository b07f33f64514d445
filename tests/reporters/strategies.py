"""Diagnoses that nobody would write by hand: odd names, missing sites, figures out of range."""

from __future__ import annotations

from hypothesis import strategies as st

from gradoctor.records import Baseline, Diagnosis, Evidence, Finding, Level, Site, Skipped

# Any text, and more often than chance what a terminal or a page could choke on.
texts = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "层.注意力",
            "梯度在到达第一层之前逐层缩小，所以前面几层几乎学不到任何东西（包括偏置）。",
            "<script>alert(1)</script>",
            "\x1b[31mred\x1b[0m",
            "a" * 90,
            "{module} {missing:.2f} }{",
            "e\u0301\u200d\U0001f469\u200d\U0001f52c",
            "\udcff.py",
            "line\nbreak\u2028more",
        ]
    ),
)
numbers = st.floats(width=32)
steps = st.integers(0, 10**6)
codes = st.integers(100, 999).map(lambda n: f"GD{n}")
site_ids = st.integers(0, 6)
sites = st.builds(
    Site,
    id=site_ids,
    kind=st.sampled_from(["run", "loss", "module", "parameter"]),
    name=texts,
    file=st.none() | texts,
    line=st.none() | st.integers(1, 5000),
)
evidence = st.builds(
    Evidence,
    statistic=st.sampled_from(["actgrad.rms", "update.ratio", "loss.value", "x.unheard_of"]),
    value=numbers,
    threshold=st.none() | numbers,
    unit=st.sampled_from(["", "bits", "share", "fraction", "r", "MAD", "0/1", "odd"]),
    site=st.none() | site_ids,
)
findings = st.builds(
    Finding,
    level=st.sampled_from(list(Level)),
    sites=st.lists(site_ids, max_size=6).map(tuple),
    first_step=steps,
    last_step=steps,
    values=st.dictionaries(st.sampled_from(["module", "ratio", "share"]), numbers | texts),
    evidence=st.lists(evidence, max_size=6).map(tuple),
    exclusions=st.lists(st.tuples(texts, st.booleans()), max_size=3).map(tuple),
    file=st.none() | texts,
    line=st.none() | st.integers(1, 5000),
    code=codes,
    name=texts,
    root=st.booleans(),
    explained_by=st.lists(codes, max_size=2).map(tuple),
    explains=st.lists(codes, max_size=2).map(tuple),
)
metas = st.fixed_dictionaries(
    {},
    optional={
        "cwd": texts,
        "exit_code": st.integers(0, 255),
        "signal": st.sampled_from(["SIGINT", 9]),
        "run_file": texts,
        "lost": st.lists(texts, max_size=2),
    },
)
diagnoses = st.builds(
    Diagnosis,
    script=texts,
    verdict=st.sampled_from(["healthy", "suspect", "sick"]),
    steps=st.integers(0, 3) | steps,
    findings=st.lists(findings, max_size=5).map(tuple),
    checks_run=st.lists(codes, max_size=5).map(tuple),
    skipped=st.lists(st.builds(Skipped, codes, texts), max_size=5).map(tuple),
    overhead=st.none() | numbers,
    baseline=st.none() | st.builds(Baseline, texts, numbers),
    sites=st.lists(sites, max_size=5).map(lambda made: {s.id: s for s in made}),
    meta=metas,
)
