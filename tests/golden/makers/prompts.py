"""What transformers' tokenizer makes of folders of every form, and prompts with weights and of many tokens.

Weights and chunks are in no library that is pinned here: the formulas stand in this file, on the hidden
states of transformers' text encoder. Each prompt stands beside its parts, read by hand, so that the
engine's reading of brackets is not held against another reading.
"""

import json
import shutil
from pathlib import Path

import torch
from transformers import CLIPTextModel, CLIPTokenizer

from .common import CAPTIONS, HERE, TOKENS, write

FOLDER = HERE / "prompts"
TEXTS = [
    *CAPTIONS,
    "No finding! Really!!! (no) ! x!y",
    "a <Ward-7> style, <ward-7>,<ward-7>x and <film> <FILM>s",
    "<|endoftext|> within <|STARTOFTEXT|> a text",
    "İstanbul ǅ ſ ﬃ Ω Å",
    "1234 3.14 10% ½ ² Ⅷ",
]
# What is added at run time, with its vectors.
ADDED = [("<ward-7>", 3), ("<film>", 1)]
BREAK = ("BREAK", None)
PROMPTS = [
    ("chest radiograph, (effusion:1.4), normal", [("chest radiograph, ", 1), ("effusion", 1.4), (", normal", 1)]),
    (
        "((bacterial) pneumonia) [mild [edema]]",
        [("bacterial", 1.1 * 1.1), (" pneumonia", 1.1), (" ", 1), ("mild ", 1 / 1.1), ("edema", 1 / 1.1 / 1.1)],
    ),
    (r"(a \(small\) mass:0.5) at left)", [("a (small) mass", 0.5), (" at left)", 1)]),
    ("lungs BREAK (heart BREAK ribs:1.2)", [("lungs", 1), BREAK, ("heart", 1.2), BREAK, ("ribs", 1.2)]),
    (
        "male, " * 9 + "(normal, child, adult:1.3) " + "AP view, " * 6,
        [("male, " * 9, 1), ("normal, child, adult", 1.3), (" " + "AP view, " * 6, 1)],
    ),
    ("normal " * 65 + "(child:0)", [("normal " * 65, 1), ("child", 0)]),
]


def bodies(tokenizer, parts, room: int, backtrack: int):
    """Chunks of tokens and weights, as AUTOMATIC1111's web interface cuts them."""
    comma = tokenizer.convert_tokens_to_ids(",</w>")
    chunks, tokens, weights, last_comma = [], [], [], -1

    def close(keep: int):
        nonlocal tokens, weights, last_comma
        chunks.append((tokens[:keep], weights[:keep]))
        tokens, weights, last_comma = tokens[keep:], weights[keep:], -1

    for text, weight in parts:
        if (text, weight) == BREAK:
            close(len(tokens))
            continue
        for token in tokenizer(text, add_special_tokens=False).input_ids:
            if token == comma:
                last_comma = len(tokens)
            elif len(tokens) == room and last_comma >= 0 and room - last_comma <= backtrack:
                close(last_comma + 1)
            if len(tokens) == room:
                close(room)
            tokens.append(token)
            weights.append(weight)
    if tokens or not chunks:
        close(len(tokens))
    return chunks


def states(text, tokenizer, tokens):
    """Hidden states of a chunk: start, tokens, end, padding."""
    row = [tokenizer.bos_token_id, *tokens, tokenizer.eos_token_id]
    row += [tokenizer.pad_token_id] * (TOKENS - len(row))
    return text(torch.tensor([row]))[0]


def embeddings(numbers: dict) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(HERE / "sd1" / "tokenizer")
    text = CLIPTextModel.from_pretrained(HERE / "sd1" / "text_encoder", torch_dtype=torch.float32).double().eval()
    empty = states(text, tokenizer, [])
    for number, (_, parts) in enumerate(PROMPTS):
        for backtrack in (20, 0):
            restored, interpolated = [], []
            for tokens, weights in bodies(tokenizer, parts, TOKENS - 2, backtrack):
                plain = states(text, tokenizer, tokens)
                scale = torch.ones(1, TOKENS, 1, dtype=torch.float64)
                scale[0, 1 : 1 + len(weights), 0] = torch.tensor(weights, dtype=torch.float64)
                weighted = plain * scale
                restored.append(weighted * (plain.mean() / weighted.mean()))
                interpolated.append(empty + (plain - empty) * scale)
            numbers[f"{number}.{backtrack}.restored"] = torch.cat(restored, 1)
            numbers[f"{number}.{backtrack}.interpolated"] = torch.cat(interpolated, 1)


def read(folder: Path) -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(folder)


def folders() -> list:
    """Tokenizers on disk in every form, and what transformers reads from each."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    source = HERE / "ours" / "tokenizer"

    def plain(name: str, **maps) -> Path:
        folder = FOLDER / name
        folder.mkdir(parents=True)
        for file in ("vocab.json", "merges.txt"):
            shutil.copy(source / file, folder / file)
        for file, value in maps.items():
            (folder / f"{file}.json").write_text(json.dumps(value, indent=1) + "\n")
        return folder

    size = len(read(source))
    word = {"lstrip": False, "rstrip": False, "single_word": False}
    special = {**word, "normalized": False, "special": True}
    # Stable Diffusion 2: the older file's padding has the last word.
    plain(
        "older",
        tokenizer_config={"tokenizer_class": "CLIPTokenizer", "pad_token": "<|endoftext|>"},
        special_tokens_map={"pad_token": "!", "bos_token": {"content": "<|startoftext|>", **word, "normalized": True}},
        added_tokens={"<film>": size},
    )
    # Stable Diffusion XL's second: every added token in the configuration.
    mark = read(source).convert_tokens_to_ids("!")
    plain(
        "newer",
        tokenizer_config={
            "tokenizer_class": "CLIPTokenizer",
            "pad_token": "!",
            "added_tokens_decoder": {
                "0": {"content": "<|startoftext|>", **special},
                "1": {"content": "<|endoftext|>", **special},
                str(mark): {"content": "!", **special},
                str(size): {"content": "<Ward-7>", **word, "normalized": True, "special": False},
            },
        },
    )
    # As transformers 5 saves: one file.
    whole = read(source)
    whole.add_tokens(["<film>"])
    whole.save_pretrained(FOLDER / "whole")
    assert not (FOLDER / "whole" / "vocab.json").exists()
    padded = CLIPTokenizer.from_pretrained(source, pad_token="!")
    padded.save_pretrained(FOLDER / "padded")
    return ["older", "newer", "whole", "padded"]


def converted(text: str) -> str:
    """A text with all words of an added one, as diffusers' `maybe_convert_prompt` writes it."""
    for word, vectors in ADDED:
        names = [word, *(f"{word}_{number}" for number in range(1, vectors))]
        place = text.lower().find(word)
        while place >= 0:
            text = text[:place] + " ".join(names) + text[place + len(word) :]
            place = text.lower().find(word, place + len(" ".join(names)))
    return text


def make(_engine: Path) -> None:
    cases = []

    def case(folder: str, added: bool, tokenizer, text: str, given: str) -> None:
        cases.append(
            {
                "folder": folder,
                "added": added,
                "text": text,
                "tokens": tokenizer(given, padding="max_length", max_length=TOKENS, truncation=True).input_ids,
                "whole": len(tokenizer(given, add_special_tokens=False).input_ids),
            }
        )

    for name in folders():
        for text in TEXTS:
            case(f"prompts/{name}", False, read(FOLDER / name), text, text)
    tokenizer = read(HERE / "ours" / "tokenizer")
    for word, vectors in ADDED:
        tokenizer.add_tokens([word, *(f"{word}_{number}" for number in range(1, vectors))])
    for text in TEXTS:
        case("ours/tokenizer", True, tokenizer, text, converted(text))
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    (FOLDER / "tokens.json").write_text(f"[\n{lines}\n]\n")
    lines = ",\n".join(json.dumps(prompt, ensure_ascii=False) for prompt, _ in PROMPTS)
    (FOLDER / "prompts.json").write_text(f"[\n{lines}\n]\n")
    numbers: dict = {}
    embeddings(numbers)
    write(FOLDER / "expected.safetensors", numbers)
