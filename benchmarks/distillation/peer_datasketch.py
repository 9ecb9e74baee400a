"""datasketch on the same runs: MinHash LSH with its own defaults at 0.8. Runs under a Python that has it alone."""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from pathlib import Path

SHINGLE_WORDS, NGRAM, PERMUTATIONS = 5, 8, 128
WORD = re.compile(r"\w+")


def runs_of(words: list[str], size: int) -> set[str]:
    return {" ".join(words[place : place + size]) for place in range(max(1, len(words) - size + 1))}


def main() -> None:
    root, out = Path(sys.argv[1]), Path(sys.argv[2])
    started = time.perf_counter()
    paths = sorted(root.glob("scored-runs/**/*.jsonl"))
    rows = [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]
    parsed = time.perf_counter()
    lines = len(rows)
    rows = [row for row in rows if row["category"] == "accepted"]
    words = [WORD.findall(f"{row['prompt']}\n{row['response']}".casefold()) for row in rows]
    tokenised = time.perf_counter()
    clean = decontaminated(root, words)
    cleaned = time.perf_counter()
    kept = deduplicated(words, clean)
    chosen = time.perf_counter()
    write(out, [rows[place] for place in kept])
    figures = {
        "parse": parsed - started,
        "tokenisation": tokenised - parsed,
        "decontamination": cleaned - tokenised,
        "near_duplicates": chosen - cleaned,
        "documents": len(rows),
        "lines": lines,
        "kept": len(kept),
        "whole": time.perf_counter() - started,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


def decontaminated(root: Path, words: list[list[str]]) -> list[int]:
    """Return the places of rows without an 8-gram of the evaluation set: it has no stage of its own for that."""
    items = [json.loads(line) for line in (root / "eval.jsonl").read_text().splitlines()]
    known = set().union(*(runs_of(WORD.findall(item["prompt"].casefold()), NGRAM) for item in items))
    return [place for place, own in enumerate(words) if known.isdisjoint(runs_of(own, NGRAM))]


def deduplicated(words: list[list[str]], places: list[int]) -> list[int]:
    from datasketch import MinHash, MinHashLSH

    lsh = MinHashLSH(threshold=0.8, num_perm=PERMUTATIONS)
    kept = []
    for place in places:
        sketch = MinHash(num_perm=PERMUTATIONS)
        sketch.update_batch([run.encode() for run in runs_of(words[place], SHINGLE_WORDS)])
        if not lsh.query(sketch):
            lsh.insert(place, sketch)
            kept.append(place)
    return kept


def write(out: Path, rows: list[dict[str, str]]) -> None:
    with out.open("w") as file:
        for row in rows:
            messages = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["response"]}]
            file.write(json.dumps({"messages": messages}) + "\n")


if __name__ == "__main__":
    main()
