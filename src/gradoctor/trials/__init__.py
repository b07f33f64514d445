"""A user's script run again for a while, with something changed: what it is, and what came of it.

Standard library only. What acts inside the child is ``interventions``.
"""

from gradoctor.trials._records import Course as Course
from gradoctor.trials._records import Trial as Trial
from gradoctor.trials.conducting import conduct as conduct
from gradoctor.trials.launching import environment as environment
from gradoctor.trials.launching import interpreter_flags as interpreter_flags
