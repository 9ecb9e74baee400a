"""The dataset card and `dataset_info.json`: how loaders find the splits and their columns. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from distillation.export_request import SPLITS, ExportRequest
from distillation.formats import Format
from distillation.pipeline_types import Json

if TYPE_CHECKING:
    import pyarrow as pa

_FORM: dict[str, str] = {
    Format.MESSAGES: "`messages`: TRL's conversational form, for `SFTTrainer`",
    Format.PROMPT_COMPLETION: "`prompt`, `completion`: TRL's prompt-completion form, plain text",
    Format.PROMPT_COMPLETION_MESSAGES: "`prompt`, `completion`: TRL's prompt-completion form, conversational",
    Format.ALPACA: "`instruction`, `input`, `output`: Alpaca",
    Format.SHAREGPT: "`conversations`: ShareGPT",
    Format.PREFERENCE: "`prompt`, `chosen`, `rejected`: TRL's preference form, conversational, for `DPOTrainer`",
    Format.KTO: "`prompt`, `completion`, `label`: TRL's unpaired preference form, conversational, for `KTOTrainer`",
}


def readme(export_id: str, request: ExportRequest, rows: Mapping[str, int]) -> str:
    """Return the card. Splits without rows have a file but are not listed: `datasets` cannot load an empty one.

    Parameters
    ----------
    export_id
        Of the export.
    request
        What it was made by.
    rows
        Split → number of rows.
    """
    listed = [split for split in SPLITS if rows[split]]
    front = ["---"]
    if listed:
        front += ["configs:", "- config_name: default", "  data_files:"]
        for split in listed:
            front += [f"  - split: {split}", f"    path: {split}.{request.file_type}"]
    front += ["tags:", f"- {request.pipeline.kind}", "---", ""]
    table = ["| split | rows | file |", "| --- | --- | --- |"]
    table += [f"| {split} | {rows[split]} | `{split}.{request.file_type}` |" for split in SPLITS]
    body = [
        f"# Training set {export_id}",
        "",
        f"Kind: {request.pipeline.kind}. Columns: {_FORM[request.format]}.",
        "",
        *table,
        "",
        "`provenance.jsonl` says which run each row came from, by split, row number (from 0) and the SHA-256 of the "
        "row; `decisions.jsonl` says for every run that was read why it is or is not here; `manifest.json` has the "
        "configuration, the input, the evaluation sets it was kept clean of, all counts, and the SHA-256 of each file.",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        'dataset = load_dataset("path/of/this/folder")',
        "```",
        "",
    ]
    return "\n".join([*front, *body])


def dataset_info(schema: pa.Schema, rows: Mapping[str, int], sizes: Mapping[str, int]) -> bytes:
    """Return `dataset_info.json` as the library `datasets` writes it: the columns, and the splits that have rows.

    Parameters
    ----------
    schema
        Of the data files.
    rows, sizes
        Split → number of rows, and bytes of its file.
    """
    listed = [split for split in SPLITS if rows[split]]
    info = {
        "features": {field.name: _feature(field.type) for field in schema},
        "splits": {split: {"name": split, "num_bytes": sizes[split], "num_examples": rows[split]} for split in listed},
        "dataset_size": sum(sizes[split] for split in listed),
    }
    return (json.dumps(info, indent=2) + "\n").encode()


def _feature(column: pa.DataType) -> Json:
    import pyarrow as pa

    if pa.types.is_list(column):
        return {"feature": _feature(column.value_type), "_type": "List"}
    if pa.types.is_struct(column):
        return {field.name: _feature(field.type) for field in column}
    return {"dtype": "bool" if pa.types.is_boolean(column) else "string", "_type": "Value"}
