"""Mean-field theory of signals and gradients in depth: numbers in, numbers out, no torch."""
