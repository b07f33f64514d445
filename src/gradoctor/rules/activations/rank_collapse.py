"""From some depth on all samples look the same."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, grade, persistence, recent_medians, stuck
from gradoctor.rules.evidence.exclusions import Exclusion, fine_tuning
from gradoctor.rules.evidence.harm import settled

SAME = 1e-2


@rule(proof="statistical", needs=("act.centred_ratio",))
def rank_collapse(run: Recording) -> Iterator[Finding]:
    """Outputs no longer depend on the sample from some layer to the end.

    Mechanism: what remains after the batch mean is taken off is below 1 % of the output, in every
    matmul and convolution from one depth on. Without a norm that is common at initialisation, so it
    must persist. Harm: stuck at the trivial baseline.

    Values: centred, depth, layers, module
    """
    for path in _paths(run):
        collapsed = _suffix(run, path)
        if not collapsed:
            continue
        first = collapsed[0]
        series = run.series("act.centred_ratio", first.id)
        past = persistence(run, series, SAME, side="below", clear=2 * SAME)
        if not past.mechanism:
            continue
        exclusions: tuple[Exclusion, ...] = (fine_tuning(run),)
        yield Finding(
            level=grade(
                persists=past.holds and settled(run),
                harm=stuck(run).found,
                exclusions=exclusions,
            ),
            sites=tuple(s.id for s in collapsed),
            first_step=past.first,
            last_step=past.last,
            values={
                "centred": past.value,
                "depth": len(path) - len(collapsed) + 1,
                "layers": len(path),
                "module": first.name,
            },
            evidence=(Evidence("act.centred_ratio", past.value, SAME, "ratio", first.id),),
            exclusions=as_pairs(exclusions),
        )
        return


def _paths(run: Recording) -> list[list[Site]]:
    """Matmul and convolution outputs of each model in execution order, the head among them."""
    known = recent_medians(run, "act.centred_ratio")
    models: dict[str, list[Site]] = {}
    for site in run.of_kind("module"):
        if site.order >= 0 and site.meta.get("role") in ("matmul", "conv") and site.id in known:
            models.setdefault(str(site.meta.get("model", "")), []).append(site)
    return [sites for sites in models.values() if len(sites) >= 2]


def _suffix(run: Recording, path: list[Site]) -> list[Site]:
    """The layers at the end that are all collapsed; at least two, or all but the first."""
    known = recent_medians(run, "act.centred_ratio")
    count = 0
    for site in reversed(path):
        if known[site.id] >= SAME:
            break
        count += 1
    return path[len(path) - count :] if count >= 2 else []
