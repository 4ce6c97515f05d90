"""What transformers makes of sound: Whisper's spectrogram, networks and greedy tokens, tiny and random."""

import json
import math
import shutil
from pathlib import Path

import torch
from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

from .common import HERE, shake, write

# 30 positions are 60 frames of 10 ms.
POSITIONS = 30
WORDS = 40
NAMES = (
    ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|zh|>", "<|translate|>", "<|transcribe|>"]
    + ["<|nospeech|>", "<|notimestamps|>", "<|0.00|>", "<|0.02|>"]
)


def tokenizer() -> dict:
    """A `tokenizer.json` of Whisper's form: bytes, then what is no text."""
    vocabulary = {chr(ord("A") + index) if index < 26 else chr(ord("a") + index - 26): index for index in range(WORDS)}
    added = [
        {"id": WORDS + index, "content": name, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True}
        for index, name in enumerate(NAMES)
    ]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
             "vocab": vocabulary, "merges": []}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": level, "post_processor": None, "decoder": level, "model": model}


def sound(seconds: float) -> torch.Tensor:
    """A sweep with overtones and noise that comes and goes, at 16 kHz."""
    count = int(seconds * 16000)
    time = torch.arange(count, dtype=torch.float64) / 16000
    phase = 2 * math.pi * (200 * time + 900 * time**2)
    tone = 0.3 * torch.sin(phase) + 0.1 * torch.sin(3 * phase)
    return ((tone + 0.02 * torch.randn(count, dtype=torch.float64)) * torch.sin(4 * time).abs()).float()


def make(_engine: Path) -> None:
    folder = HERE / "speech"
    shutil.rmtree(folder, ignore_errors=True)
    config = WhisperConfig(
        vocab_size=WORDS + len(NAMES), num_mel_bins=80, d_model=16, max_source_positions=POSITIONS,
        max_target_positions=32, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=24,
        decoder_layers=2, decoder_attention_heads=2, decoder_ffn_dim=40, activation_function="gelu",
        decoder_start_token_id=WORDS + 1, bos_token_id=WORDS, eos_token_id=WORDS, pad_token_id=WORDS,
    )
    model = WhisperForConditionalGeneration(config).eval()
    shake(model)
    # Weights that say something: an untrained network would repeat one token.
    for name, value in model.model.decoder.named_parameters():
        scale = 2.0 if "embed_positions" in name else 0.6
        if value.dim() == 2:
            value.data = (scale * torch.randn_like(value)).half().float()
    special = [WORDS + index for index in range(1, len(NAMES))]
    model.generation_config = GenerationConfig(
        decoder_start_token_id=WORDS + 1, bos_token_id=WORDS, eos_token_id=WORDS, pad_token_id=WORDS,
        no_timestamps_token_id=WORDS + 7, is_multilingual=True,
        lang_to_id={"<|en|>": WORDS + 2, "<|zh|>": WORDS + 3},
        task_to_id={"translate": WORDS + 4, "transcribe": WORDS + 5},
        suppress_tokens=[3, 5, *special], begin_suppress_tokens=[1, WORDS],
    )
    model.half().save_pretrained(folder)
    model.float()
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(), indent=1) + "\n")

    numbers = {}
    # The whole window of 30 s, as the published models have it, and the tiny model's.
    wave = sound(1.3)
    numbers["wave"] = wave
    for bands in (80, 128):
        features = WhisperFeatureExtractor(feature_size=bands)(wave.numpy(), sampling_rate=16000, return_tensors="pt")
        # Past the sound every frame is the same silence.
        numbers[f"features.{bands}"] = features.input_features[:, :, :200].double()
    short = WhisperFeatureExtractor(chunk_length=1)
    short.n_samples = POSITIONS * 320
    for name, part in (("long", wave[: POSITIONS * 320]), ("short", wave[3000:7000])):
        padded = torch.zeros(POSITIONS * 320)
        padded[: len(part)] = part
        spectrogram = torch.from_numpy(short._np_extract_fbank_features(padded.numpy()[None], "cpu")).double()
        numbers[f"{name}.spectrogram"] = spectrogram
        double = model.double()
        heard = double.model.encoder(spectrogram).last_hidden_state
        numbers[f"{name}.heard"] = heard
        tokens = torch.tensor([[WORDS + 1, WORDS + 2, WORDS + 5, WORDS + 7, 4, 30, 11, 2]])
        numbers[f"{name}.tokens"] = tokens
        numbers[f"{name}.logits"] = double(encoder_outputs=(heard,), decoder_input_ids=tokens).logits[0]
        for language in ("en", "zh"):
            spoken = double.generate(
                spectrogram, language=language, task="transcribe", do_sample=False, num_beams=1, max_new_tokens=15,
            )[0]
            words = [int(token) for token in spoken if token < WORDS]
            numbers[f"{name}.{language}.greedy"] = torch.tensor(words)
        numbers[f"{name}.samples"] = part.clone()
        model.float()
    write(folder / "expected.safetensors", numbers)
