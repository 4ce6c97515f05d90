"""What transformers' tokenizer makes of the engine's vocabulary."""

import json
from pathlib import Path

from transformers import CLIPTokenizer

from .common import CAPTIONS, HERE, TOKENS


def make(_engine: Path) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(HERE / "ours" / "tokenizer")
    cases = [
        {
            "text": text,
            "tokens": tokenizer(
                text, padding="max_length", max_length=TOKENS, truncation=True
            ).input_ids,
            "whole": len(tokenizer(text).input_ids) - 2,
        }
        for text in CAPTIONS
    ]
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    (HERE / "captions.json").write_text(f"[\n{lines}\n]\n")
