"""The corpus: training scripts with labels, and what gradoctor says of them.

``python -m corpus`` runs it; ``docs/corpus.md`` is the page that it writes.
"""
