"""Conformance tests and load benchmarks for image generation APIs.

The rooms are subpackages: `schemas`, `core`, `mock_server`, `conformance`, `load`, `reports`, `cli`.
ARCHITECTURE.md says what each knows and which may import which.
"""

__version__ = "0.1.0"
