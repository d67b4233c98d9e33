"""The chances that a result stands for, whatever its form."""

import json


def read(folder):
    """Context -> chances, of a table or a matrix."""
    matrix = folder / "matrix.json"
    if matrix.exists():
        told = json.loads(matrix.read_text())
        return told["rows"], len(told["letters"])
    told = json.loads((folder / "table.json").read_text())
    letters, smoothing = told["letters"], told["smoothing"]
    rows = {}
    for context, row in told["rows"].items():
        total = sum(row.values()) + smoothing * len(letters)
        rows[context] = [(row.get(letter, 0) + smoothing) / total for letter in letters]
    return rows, len(letters)
