"""The run file: frames, sites and facts in SQLite."""

from gradoctor.store.files import create_run as create_run
from gradoctor.store.files import latest_run as latest_run
from gradoctor.store.files import runs_in as runs_in
from gradoctor.store.reader import RunFile as RunFile
from gradoctor.store.reader import open_run as open_run
from gradoctor.store.writer import RunWriter as RunWriter
