"""Looks at a network before training: one forward and backward, beside what theory predicts."""

from gradoctor.forecast.examine import examine as examine
