"""The same steps in single precision."""

from __future__ import annotations

from collections.abc import Mapping

from gradoctor.probes._records import Answer, Arm, Probe
from gradoctor.probes.paired import diverged, end, paired, start
from gradoctor.trials import Course

AS_IS, SINGLE = "as it is", "float32"


def used(course: Course) -> str:
    """What a course used below float32: the autocast dtype, ``half``, or '' for nothing."""
    seen = course.facts.get("precision", {})
    return str(seen.get("autocast") or ("half" if seen.get("half") else ""))


def following(done: Mapping[str, Course], steps: int) -> Arm | None:
    """The script as it is; float32 only when it uses less."""
    if AS_IS not in done:
        return Arm(AS_IS, {"precision": {"single": False}})
    if SINGLE in done or not used(done[AS_IS]):
        return None
    return Arm(SINGLE, {"precision": {"single": True}})


def answer(courses: Mapping[str, Course]) -> Answer:
    """``full`` (it is float32 already), ``same``, ``costs``, ``breaks`` or ``breaks-anyway``."""
    base = courses[AS_IS]
    values = {"start": start(base.losses), "end": end(base.losses), "used": used(base)}
    if SINGLE not in courses:
        return Answer("precision", "full", False, values)
    single = courses[SINGLE]
    compared = paired(base, single)
    if diverged(base.losses):
        verdict = "breaks-anyway" if compared.diverged else "breaks"
    else:
        verdict = "costs" if compared.better else "same"
    values |= {
        "end_single": end(single.losses), "gain": compared.gain, "share": compared.share,
        "p": compared.p, "scaler": bool(base.facts["precision"].get("scaler")),
    }  # fmt: skip
    cautions = () if compared.same else ("other-batches",)
    return Answer("precision", verdict, verdict in ("breaks", "costs"), values, cautions=cautions)


PROBE = Probe(200, following, answer)
