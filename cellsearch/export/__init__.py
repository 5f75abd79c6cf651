"""Taking a cell away: one file per format."""

SUFFIXES = (".py", ".safetensors")
"""The formats that `export` writes, by the suffix of the file."""
