"""datatrove on the same runs: its MinHash in four steps and its n-gram filter. Runs under a Python that has it alone.

Everything as it comes, also the tokeniser it takes for English. Only its indexer for evaluation sets needs a framework
of evaluations; the index is made here with its own functions.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

NGRAM = 8


def documents(root: Path) -> tuple[list[Any], int]:
    from datatrove.data import Document

    paths = sorted(root.glob("scored-runs/**/*.jsonl"))
    rows = [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]
    found = [
        Document(text=f"{row['prompt']}\n{row['response']}", id=row["run_id"], metadata={"row": row})
        for row in rows
        if row["category"] == "accepted"
    ]
    return found, len(rows)


def decontaminated(found: list[Any], root: Path) -> list[Any]:
    from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
    from datatrove.utils.text import ngrams, simplify_text

    config = NGramsDecontConfig(n_grams=NGRAM, find_query_ngrams=True)
    step = NGramsDecontFilter(str(root), config=config)
    step._index_hashes = {}
    for item in (json.loads(line) for line in (root / "eval.jsonl").read_text().splitlines()):
        words = step.tokenizer.word_tokenize(simplify_text(item["prompt"], config.norm_config))
        step._index_hashes |= {step.hash_func(" ".join(gram)): "bench" for gram in ngrams(words, NGRAM)}
    return list(step.run(found))


def deduplicated(found: list[Any], folder: Path) -> list[Any]:
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter
    from datatrove.pipeline.dedup import MinhashDedupSignature as Signature
    from datatrove.pipeline.dedup.minhash import MinhashConfig

    config = MinhashConfig(n_grams=5)
    signatures, buckets, removed = (str(folder / name) for name in ("signatures", "buckets", "removed"))
    list(Signature(signatures, config).run(found, 0, 1) or ())
    for bucket in range(config.num_buckets):
        list(MinhashDedupBuckets(signatures, buckets, config=config).run(None, bucket, config.num_buckets) or ())
    list(MinhashDedupCluster(buckets, removed, config=config).run(None, 0, 1) or ())
    return list(MinhashDedupFilter(removed).run(found, 0, 1))


def main() -> None:
    root, out = Path(sys.argv[1]), Path(sys.argv[2])
    started = time.perf_counter()
    found, lines = documents(root)
    parsed = time.perf_counter()
    clean = decontaminated(found, root)
    without_items = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        kept = deduplicated(clean, Path(folder))
    without_copies = time.perf_counter()
    with out.open("w") as file:
        for document in kept:
            row = document.metadata["row"]
            messages = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["response"]}]
            file.write(json.dumps({"messages": messages}) + "\n")
    ended = time.perf_counter()
    figures = {
        "parse": parsed - started,
        "tokenisation": 0.0,  # Each of its steps cuts the text anew.
        "decontamination": without_items - parsed,
        "near_duplicates": without_copies - without_items,
        "documents": len(found),
        "lines": lines,
        "kept": len(kept),
        "whole": ended - started,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
