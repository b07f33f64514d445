"""Kernels: tensors to small float32 tensors that stay on their device.

Nothing here draws random numbers, changes its inputs or (unless it says so) waits for a device.
"""

from gradoctor.statistics._tensors import sample as sample
from gradoctor.statistics._tensors import tensors_in as tensors_in
from gradoctor.statistics._tensors import unit_dim as unit_dim
from gradoctor.statistics.activations import ACT as ACT
from gradoctor.statistics.activations import ACTGRAD as ACTGRAD
from gradoctor.statistics.activations import SATURATION as SATURATION
from gradoctor.statistics.activations import TIME as TIME
from gradoctor.statistics.activations import DeadUnits as DeadUnits
from gradoctor.statistics.activations import rms_over_time as rms_over_time
from gradoctor.statistics.activations import summarise_activation as summarise_activation
from gradoctor.statistics.activations import summarise_gradient as summarise_gradient
from gradoctor.statistics.activations import summarise_saturation as summarise_saturation
from gradoctor.statistics.activations import time_slope as time_slope
from gradoctor.statistics.baselines import Baseline as Baseline
from gradoctor.statistics.batches import FEATURES as FEATURES
from gradoctor.statistics.batches import INPUT as INPUT
from gradoctor.statistics.batches import PREDICTION as PREDICTION
from gradoctor.statistics.batches import SHAPE as SHAPE
from gradoctor.statistics.batches import TARGET as TARGET
from gradoctor.statistics.batches import FeatureMoments as FeatureMoments
from gradoctor.statistics.batches import LabelCounts as LabelCounts
from gradoctor.statistics.batches import summarise_input as summarise_input
from gradoctor.statistics.batches import summarise_prediction as summarise_prediction
from gradoctor.statistics.batches import summarise_probability_shape as summarise_probability_shape
from gradoctor.statistics.batches import summarise_target as summarise_target
from gradoctor.statistics.labels import CLASSES as CLASSES
from gradoctor.statistics.labels import OFFSETS as OFFSETS
from gradoctor.statistics.labels import REACH as REACH
from gradoctor.statistics.labels import ClassTally as ClassTally
from gradoctor.statistics.labels import compare_with_ids as compare_with_ids
from gradoctor.statistics.labels import log_partition as log_partition
from gradoctor.statistics.labels import padding_fraction as padding_fraction
from gradoctor.statistics.labels import summarise_reach as summarise_reach
from gradoctor.statistics.parameters import GRAD as GRAD
from gradoctor.statistics.parameters import PARAM as PARAM
from gradoctor.statistics.parameters import GradientNoise as GradientNoise
from gradoctor.statistics.parameters import Sketch as Sketch
from gradoctor.statistics.parameters import clone_fraction as clone_fraction
from gradoctor.statistics.parameters import cosine as cosine
from gradoctor.statistics.parameters import initial_facts as initial_facts
from gradoctor.statistics.parameters import lost_fraction as lost_fraction
from gradoctor.statistics.parameters import movement as movement
from gradoctor.statistics.parameters import snapshot as snapshot
from gradoctor.statistics.parameters import summarise_gradients as summarise_gradients
from gradoctor.statistics.parameters import summarise_updates as summarise_updates
from gradoctor.statistics.parameters import summarise_weights as summarise_weights
