"""Other tools on the scripts of the corpus: what each says of a run, in our labels.

Each is used as its own documents tell, with its own defaults, and mapped to our labels by its own
messages, generously: a message counts as the right root when any reading of it names the illness.
"""
