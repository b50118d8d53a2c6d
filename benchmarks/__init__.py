"""Ratios against others, measured side by side in one run: `python -m benchmarks`. See docs/benchmarks.md."""
