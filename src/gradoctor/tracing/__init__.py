"""A forward pass as a graph of operations that theory can follow: with torch."""

from gradoctor.tracing.forward import trace as trace
from gradoctor.tracing.forward import untouched as untouched
from gradoctor.tracing.tracer import Tracer as Tracer
