"""Turns a Whisper model of CTranslate2 into transformers' layout, which the engine reads.

    whisper-from-ctranslate2.py --out FOLDER SOURCE …

A SOURCE is a folder with `model.bin` (or its parts, `model.bin.part1` …), `config.json` and
`tokenizer.json`, or several that hold them between them. Weights of 8 bits are multiplied out by their
scales; everything is written as F16.

The form of `model.bin` is that of CTranslate2's `Model::load`, versions 4 to 6: numbers in little endian,
strings with their length before them; the names are those of its `WhisperSpec`.
"""

import argparse
import json
import re
import struct
from pathlib import Path

import numpy
from safetensors.numpy import save_file

# CTranslate2's DataType, in its order. Brain floats have no name in numpy: they are the upper half of a float.
TYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2", 5: "<u2"}
BRAIN_FLOAT = 5


class Reader:
    """Numbers and strings from bytes, in order; a file that was cut off ends it."""

    def __init__(self, data: bytes):
        self.data, self.at = memoryview(data), 0

    def take(self, length: int) -> memoryview:
        if self.at + length > len(self.data):
            raise SystemExit("model.bin is cut off: are all of its parts there?")
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, form: str) -> int:
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def string(self) -> str:
        return bytes(self.take(self.number("H"))).rstrip(b"\0").decode()


def variables(data: bytes) -> dict:
    """Every variable of `model.bin` by its name; scalars as arrays without a dimension."""
    reader = Reader(data)
    version, spec, revision = reader.number("I"), reader.string(), reader.number("I")
    if not 4 <= version <= 6 or spec != "WhisperSpec":
        raise SystemExit(f"model.bin is {spec} in version {version}, not WhisperSpec in 4 to 6")
    if revision < 3:
        raise SystemExit(f"WhisperSpec of revision {revision} is not read")
    found = {}
    for _ in range(reader.number("I")):
        name = reader.string()
        shape = [reader.number("I") for _ in range(reader.number("B"))]
        kind, length = reader.number("B"), reader.number("I")
        values = numpy.frombuffer(reader.take(length), TYPES[kind])
        if kind == BRAIN_FLOAT:
            values = (values.astype("<u4") << 16).view("<f4")
        found[name] = values.reshape(shape)
    for _ in range(reader.number("I")):
        alias, name = reader.string(), reader.string()
        found[alias] = found[name]
    return found


class Weights:
    """The variables under transformers' names."""

    def __init__(self, found: dict):
        self.found, self.out = found, {}

    def value(self, name: str) -> numpy.ndarray:
        """A variable in single precision; of 8 or 16 bits, divided by the scales of its rows."""
        values = self.found[name]
        scale = self.found.get(name + "_scale")
        if scale is not None:
            scale = scale.astype(numpy.float32)
            rows = scale.reshape([-1] + [1] * (values.ndim - 1)) if scale.ndim else scale
            return values.astype(numpy.float32) / rows
        if values.dtype.kind != "f":
            raise SystemExit(f"{name} holds whole numbers and has no scale")
        return values.astype(numpy.float32)

    def put(self, name: str, values: numpy.ndarray) -> None:
        self.out[name] = numpy.ascontiguousarray(values.astype(numpy.float16))

    def pair(self, ours: str, theirs: str) -> None:
        for part in ("weight", "bias"):
            self.put(f"{ours}.{part}", self.value(f"{theirs}/{part}"))

    def norm(self, ours: str, theirs: str) -> None:
        self.put(f"{ours}.weight", self.value(f"{theirs}/gamma"))
        self.put(f"{ours}.bias", self.value(f"{theirs}/beta"))

    def projections(self, ours: str, theirs: str, names: list) -> None:
        """CTranslate2 lays projections of one input into one matrix. Whisper's keys have no bias."""
        weight, bias = self.value(f"{theirs}/weight"), self.value(f"{theirs}/bias")
        for name, rows, shift in zip(
            names, numpy.split(weight, len(names)), numpy.split(bias, len(names)), strict=True
        ):
            self.put(f"{ours}.{name}.weight", rows)
            if name != "k_proj":
                self.put(f"{ours}.{name}.bias", shift)

    def layer(self, ours: str, theirs: str, decoder: bool) -> None:
        attention = f"{theirs}/self_attention"
        self.norm(f"{ours}.self_attn_layer_norm", f"{attention}/layer_norm")
        self.projections(f"{ours}.self_attn", f"{attention}/linear_0", ["q_proj", "k_proj", "v_proj"])
        self.pair(f"{ours}.self_attn.out_proj", f"{attention}/linear_1")
        if decoder:
            attention = f"{theirs}/attention"
            self.norm(f"{ours}.encoder_attn_layer_norm", f"{attention}/layer_norm")
            self.pair(f"{ours}.encoder_attn.q_proj", f"{attention}/linear_0")
            self.projections(f"{ours}.encoder_attn", f"{attention}/linear_1", ["k_proj", "v_proj"])
            self.pair(f"{ours}.encoder_attn.out_proj", f"{attention}/linear_2")
        self.norm(f"{ours}.final_layer_norm", f"{theirs}/ffn/layer_norm")
        self.pair(f"{ours}.fc1", f"{theirs}/ffn/linear_0")
        self.pair(f"{ours}.fc2", f"{theirs}/ffn/linear_1")

    def layers(self, part: str) -> int:
        return len({m[1] for name in self.found if (m := re.match(rf"{part}/layer_(\d+)/", name))})


def convert(found: dict) -> tuple:
    """The weights, and `config.json`."""
    weights = Weights(found)
    for part in ("encoder", "decoder"):
        for index in range(weights.layers(part)):
            weights.layer(f"model.{part}.layers.{index}", f"{part}/layer_{index}", part == "decoder")
        weights.norm(f"model.{part}.layer_norm", f"{part}/layer_norm")
        positions = weights.value(f"{part}/position_encodings/encodings")
        weights.put(f"model.{part}.embed_positions.weight", positions)
    for name in ("conv1", "conv2"):
        weights.pair(f"model.encoder.{name}", f"encoder/{name}")
    weights.put("model.decoder.embed_tokens.weight", weights.value("decoder/embeddings/weight"))
    out = weights.out
    width, bands, _ = out["model.encoder.conv1.weight"].shape
    config = {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "activation_function": "gelu",
        "d_model": width,
        "num_mel_bins": bands,
        "vocab_size": len(out["model.decoder.embed_tokens.weight"]),
        "max_source_positions": len(out["model.encoder.embed_positions.weight"]),
        "max_target_positions": len(out["model.decoder.embed_positions.weight"]),
        "torch_dtype": "float16",
    }
    for part in ("encoder", "decoder"):
        config[f"{part}_layers"] = weights.layers(part)
        config[f"{part}_attention_heads"] = int(found[f"{part}/num_heads"])
        config[f"{part}_ffn_dim"] = len(out[f"model.{part}.layers.0.fc1.bias"])
    return out, config


def generation(listed: dict, tokens: dict) -> dict:
    """`generation_config.json`, from CTranslate2's `config.json` and the names of the tokens."""
    languages = {name: token for name, token in tokens.items() if re.fullmatch(r"<\|[a-z]{2,3}\|>", name)}
    return {
        "decoder_start_token_id": tokens["<|startoftranscript|>"],
        "eos_token_id": tokens["<|endoftext|>"],
        "no_timestamps_token_id": tokens["<|notimestamps|>"],
        "is_multilingual": len(listed.get("lang_ids", [])) > 1,
        "lang_to_id": languages,
        "task_to_id": {task: tokens[f"<|{task}|>"] for task in ("transcribe", "translate")},
        "suppress_tokens": listed["suppress_ids"],
        "begin_suppress_tokens": listed["suppress_ids_begin"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder to make")
    parser.add_argument("source", type=Path, nargs="+")
    options = parser.parse_args()
    files = {path.name: path for folder in options.source for path in folder.iterdir() if path.is_file()}

    def text(name: str) -> str:
        if name not in files:
            raise SystemExit(f"{name} is in none of the sources")
        return files[name].read_text(encoding="utf-8")

    parts = [name for name in files if re.fullmatch(r"model\.bin(\.part\d+)?", name)]
    parts.sort(key=lambda name: int(re.sub(r"\D", "", name) or 0))
    data = b"".join(files[name].read_bytes() for name in parts)
    weights, config = convert(variables(data))
    tokenizer = text("tokenizer.json")
    tokens = {token["content"]: token["id"] for token in json.loads(tokenizer)["added_tokens"]}
    options.out.mkdir(parents=True, exist_ok=True)
    for name, value in (
        ("config.json", config),
        ("generation_config.json", generation(json.loads(text("config.json")), tokens)),
    ):
        (options.out / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    (options.out / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    save_file(weights, options.out / "model.safetensors", metadata={"format": "pt"})
    print(f"{options.out}: {len(weights)} weights")


if __name__ == "__main__":
    main()
