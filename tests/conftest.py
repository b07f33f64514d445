"""What every test needs: one thread each, so that scripts side by side do not fight for cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
