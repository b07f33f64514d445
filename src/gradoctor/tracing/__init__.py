"""A forward pass as a graph of operations that theory can follow: with torch."""

from gradoctor.tracing.tracer import Tracer as Tracer
