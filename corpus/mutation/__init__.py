"""One fault in a healthy script, at a place that a seed draws.

The operators follow the published mutation operators for deep learning: DeepMutation (Ma et al.,
ISSRE 2018) and DeepCrime (Humbatova, Jahangirova and Tonella, ISSTA 2021).
"""

from corpus.mutation.injector import Mutant as Mutant
from corpus.mutation.injector import applicable as applicable
from corpus.mutation.injector import inject as inject
from corpus.mutation.operators import OPERATORS as OPERATORS
