"""Training scripts on scikit-learn's digits, each sick and mended: run as files, never imported."""
