"""Pictures of ``knowledge.plots``, drawn: ``terminal`` as characters, ``image`` as SVG or PNG."""
