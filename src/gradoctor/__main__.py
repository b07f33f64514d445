"""``python -m gradoctor``."""

from gradoctor.commands import main

main()
