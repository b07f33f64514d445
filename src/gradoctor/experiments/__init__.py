"""The lab's experiments: each a small reproducible program on real or exact data, with torch."""
