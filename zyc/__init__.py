"""zyc turns YAML into language models: specs in, readable scripts and kept artifacts out."""

__version__ = "0.1.0"
