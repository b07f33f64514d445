"""A network before its first step: what theory and one backward say, and the verdict. No torch."""

from gradoctor.prognosis._forecast import Cure as Cure
from gradoctor.prognosis._forecast import Fault as Fault
from gradoctor.prognosis._forecast import Forecast as Forecast
from gradoctor.prognosis._forecast import Layer as Layer
from gradoctor.prognosis._forecast import Recurrence as Recurrence
from gradoctor.prognosis.foresee import foresee as foresee
from gradoctor.prognosis.judge import judged as judged
