"""The corpus: training scripts with labels, and how often gradoctor is right about them."""
