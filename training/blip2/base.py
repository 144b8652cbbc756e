"""The base: a frozen BLIP-2 with everything needed to ask it a question, as one folder with one digest.

Belongs here: building from a profile, saving, loading, digests, where the weights are looked for.
Not here: pre-training (pretraining/), adapters (lora.py), what a candidate adds (artefact.py).

A base folder holds `model.safetensors`, `config.json`, `tokenizer.json`, `selvedge.json` and `recipe.yaml`.
`flan-t5-xl` is read from a plain download of its published weights instead; the same `Base` comes out.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import (
    AutoTokenizer,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    PreTrainedTokenizerBase,
    T5Config,
)
from transformers.activations import NewGELUActivation

from catalog.errors import SelvedgeError
from training.blip2.preprocessing import Preprocessing
from training.blip2.profiles import PROFILES, TINY, Profile, find_profile
from training.blip2.prompt import Prompt
from training.blip2.tokenizer import load_tokenizer
from training.folders import models_folder, written_whole
from training.weights import digest_of, fill_model, read_tensors, stored_tensors

FORMAT = 1
WEIGHTS_FILE = "model.safetensors"
IMAGE_PARTS = ("vision_model.", "qformer.", "query_tokens")
QUERY_STD = 0.02


class ResidualConv(nn.Module):
    """Two 3x3 convolutions beside an identity, at one resolution: collars and buttons are a few pixels wide."""

    def __init__(self, channels: int):
        super().__init__()
        groups = min(8, channels)
        self.first = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(groups, channels, eps=1e-5)
        self.second = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(groups, channels, eps=1e-5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inside = self.second_norm(self.second(nn.functional.gelu(self.first_norm(self.first(x)))))
        return nn.functional.gelu(x + inside)


class ConvStem(nn.Sequential):
    """Stride-2 convolutions in place of the linear patch embedding.

    A plain patch projection learns colour and little else within minutes of CPU time; overlapping 3x3 convolutions see
    edges and texture from the start. Source: Xiao et al., Early convolutions help transformers see better, NeurIPS
    2021.
    """

    def __init__(self, channels: tuple[int, ...], width: int):
        layers: list[nn.Module] = []
        before = 3
        for index, after in enumerate((*channels[:-1], width)):
            last = index == len(channels) - 1
            layers.append(nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1, bias=last))
            if not last:
                layers += [nn.GroupNorm(min(8, after), after, eps=1e-5), nn.GELU()]
            if not last and index:
                layers.append(ResidualConv(after))
            before = after
        super().__init__(*layers)

    @property
    def weight(self) -> torch.Tensor:
        """The vision embeddings ask their patch embedding for a dtype through this."""
        weight = self[0].weight
        assert isinstance(weight, torch.Tensor)
        return weight


@dataclass(frozen=True)
class Base:
    """A loaded base. `model` is in evaluation mode and frozen.

    Attributes:
        digest: hex sha256 over all stored weights; names the base in artefacts.
        vision_digest: the same over vision encoder, Q-Former and query tokens only; keys cached features.
        folder: where it was loaded from.
        recipe: how it was made (empty for published weights).
    """

    model: Blip2ForConditionalGeneration
    tokenizer: PreTrainedTokenizerBase
    preprocessing: Preprocessing
    prompt: Prompt
    digest: str
    vision_digest: str
    profile: Profile
    folder: Path
    recipe: Mapping[str, Any]

    @property
    def device(self) -> torch.device:
        return self.model.query_tokens.device

    @property
    def start_token(self) -> int:
        """What the decoder reads first."""
        config: Any = self.model.config
        return int(config.text_config.decoder_start_token_id)

    @property
    def identity(self) -> dict[str, str]:
        """What an artefact writes down to find this very base again."""
        return {
            "profile": self.profile.name,
            "digest": self.digest,
            "weights_id": self.profile.weights_id,
            "revision": self.profile.revision,
        }


def build_model(profile: Profile, vocab_size: int | None = None) -> Blip2ForConditionalGeneration:
    """BLIP-2 of a profile with random weights, in float32, in evaluation mode.

    Under `torch.device("meta")` nothing is allocated. `vocab_size` replaces the profile's where a tokenizer is smaller.
    Query tokens start from N(0, 0.02): the library starts them at zero, where all queries stay equal.
    """
    text = dict(profile.text) | ({"vocab_size": vocab_size} if vocab_size else {})
    config = Blip2Config(
        vision_config=Blip2VisionConfig(**profile.vision),
        qformer_config=Blip2QFormerConfig(**profile.qformer),
        text_config=T5Config(**text),
        num_query_tokens=profile.queries,
        image_token_index=profile.image_token,
    )
    return model_of(config, profile)


def model_of(config: Blip2Config, profile: Profile) -> Blip2ForConditionalGeneration:
    """A random model of a configuration, with the profile's stem and attention implementation."""
    model = Blip2ForConditionalGeneration(config)
    model.set_attn_implementation(profile.attention)
    channels = profile.stem_channels
    if channels:
        vision: Any = config.vision_config
        if 2 ** len(channels) != vision.patch_size:
            raise SelvedgeError(
                f"profile {profile.name}: {len(channels)} stem convolutions give stride {2 ** len(channels)}, "
                f"but patch_size is {vision.patch_size}; make them agree."
            )
        model.vision_model.embeddings.patch_embedding = ConvStem(channels, vision.hidden_size)
    fuse_activations(model.language_model)
    with torch.no_grad():
        model.query_tokens.normal_(std=QUERY_STD)
    return model.eval()


def fuse_activations(language_model: nn.Module) -> None:
    """Swap the library's gelu_new, eight tensor operations, for the same function in one."""
    for module in language_model.modules():
        if isinstance(getattr(module, "act", None), NewGELUActivation):
            module.act = nn.GELU(approximate="tanh")


def save_base(
    folder: Path,
    model: Blip2ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    preprocessing: Preprocessing,
    prompt: Prompt,
    recipe: Mapping[str, Any],
    *,
    profile: Profile = TINY,
    card: str | None = None,
    dtype: torch.dtype = torch.float16,
) -> str:
    """Write a base folder whole (a new folder takes the old one's place) and return its digest.

    Args:
        recipe: plain data, written as YAML: how these weights were made, seeds and versions included.
        card: text of README.md; an existing one is kept when None.
        dtype: storage of floating-point weights; they are computed with in the profile's dtype.

    Raises:
        SelvedgeError: a weight is not finite in `dtype`, or the disk is full or not writable.
    """
    tensors = stored_tensors(model, dtype)
    digest, vision_digest = digests(tensors)
    about = {
        "format": FORMAT,
        "profile": profile.name,
        "stem_channels": list(profile.stem_channels),
        "preprocessing": preprocessing.to_dict(),
        "prompt": prompt.to_dict(),
        "digest": digest,
        "vision_digest": vision_digest,
    }
    readme = folder / "README.md"
    if card is None and readme.is_file():
        card = readme.read_text(encoding="utf-8")
    with written_whole(folder, "base") as part:
        save_file(tensors, part / WEIGHTS_FILE, metadata={"format": "pt"})
        (part / "config.json").write_text(model.config.to_json_string(use_diff=False), encoding="utf-8")
        tokenizer.backend_tokenizer.save(str(part / "tokenizer.json"))
        (part / "recipe.yaml").write_text(yaml.safe_dump(dict(recipe), sort_keys=False), encoding="utf-8")
        if card is not None:
            (part / "README.md").write_text(card, encoding="utf-8")
        (part / "selvedge.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return digest


def load_base(source: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype | None = None) -> Base:
    """The base of a profile name, or of a folder written by `save_base`.

    Args:
        dtype: what to compute in; the profile's own when None.

    Raises:
        SelvedgeError: unknown profile, weights absent, a broken file, a format this code does not know, or weights that
            do not hash to the digest written beside them.
    """
    folder = Path(source)
    profile = None
    if not (isinstance(source, Path) or folder.is_dir() or os.sep in str(source)):
        profile = find_profile(str(source))
        folder = models_folder() / profile.folder
    if (folder / "selvedge.json").is_file():
        return _load_own(folder, device, dtype)
    if profile is None:
        raise SelvedgeError(
            f"base {folder} holds no selvedge.json; name a profile {sorted(PROFILES)} or a base folder."
        )
    if not profile.weights_id:
        raise SelvedgeError(f"{profile.name} needs its weights in {folder}; run `make base`, or set SELVEDGE_MODELS.")
    return _load_published(profile, folder, device, dtype)


def digests(tensors: Mapping[str, Tensor]) -> tuple[str, str]:
    """Of all tensors, and of those of the image half only (vision encoder, Q-Former, query tokens)."""
    image = {name: tensor for name, tensor in tensors.items() if name.startswith(IMAGE_PARTS)}
    return digest_of(tensors), digest_of(image)


def _load_own(folder: Path, device: str | torch.device, dtype: torch.dtype | None) -> Base:
    about = _read_about(folder)
    config = _read_config(folder)
    profile = _profile_as_built(about, config)
    model = model_of(config, profile)
    tensors = read_tensors([folder / WEIGHTS_FILE])
    digest, vision_digest = digests(tensors)
    if digest != about["digest"]:
        raise SelvedgeError(f"base {folder / WEIGHTS_FILE} does not match the digest in selvedge.json; copy it again.")
    fill_model(model, tensors, folder)
    recipe = (
        yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
        if (folder / "recipe.yaml").is_file()
        else {}
    )
    return Base(
        model=_frozen(model, device, dtype or getattr(torch, profile.dtype)),
        tokenizer=load_tokenizer(folder / "tokenizer.json"),
        preprocessing=profile.preprocessing,
        prompt=profile.prompt,
        digest=digest,
        vision_digest=vision_digest,
        profile=profile,
        folder=folder,
        recipe=recipe or {},
    )


def _profile_as_built(about: Mapping[str, Any], config: Blip2Config) -> Profile:
    """The profile a folder names, with the sizes its own config.json gives: a base outlives changes of the defaults."""
    profile = find_profile(about["profile"])
    parts: dict[str, Any] = {
        "vision": config.vision_config,
        "qformer": config.qformer_config,
        "text": config.text_config,
    }
    sizes: dict[str, Any] = {
        name: {key: getattr(part, key) for key in getattr(profile, name) if key != "tie_word_embeddings"}
        | ({"tie_word_embeddings": part.scale_decoder_outputs} if name == "text" else {})
        for name, part in parts.items()
    }
    return replace(
        profile,
        **sizes,
        queries=config.num_query_tokens,
        image_token=int(config.image_token_index or 0),
        stem_channels=tuple(about["stem_channels"]),
        preprocessing=Preprocessing.from_dict(about["preprocessing"]),
        prompt=Prompt.from_dict(about["prompt"]),
    )


def _load_published(profile: Profile, folder: Path, device: str | torch.device, dtype: torch.dtype | None) -> Base:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise SelvedgeError(
            f"{profile.name} needs the weights of {profile.weights_id} (revision {profile.revision}); put its "
            f"safetensors and tokenizer files in {folder}, or set SELVEDGE_MODELS to where {profile.folder} lies."
        )
    dtype = dtype or getattr(torch, profile.dtype)
    digest, vision_digest = digests(read_tensors(files))
    try:
        model = Blip2ForConditionalGeneration.from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, SafetensorError) as error:
        raise SelvedgeError(
            f"{profile.name}: {folder} is not a whole download of {profile.weights_id} ({error})."
        ) from error
    return Base(
        model=_frozen(model, device, None),
        tokenizer=tokenizer,
        preprocessing=profile.preprocessing,
        prompt=profile.prompt,
        digest=digest,
        vision_digest=vision_digest,
        profile=profile,
        folder=folder,
        recipe={},
    )


def _frozen(
    model: Blip2ForConditionalGeneration, device: str | torch.device, dtype: torch.dtype | None
) -> Blip2ForConditionalGeneration:
    module: nn.Module = model  # the library wraps `to` in a way that type checkers misread
    module.to(device=device, dtype=dtype) if dtype else module.to(device)
    return model.requires_grad_(False).eval()


def _read_about(folder: Path) -> dict[str, Any]:
    file = folder / "selvedge.json"
    try:
        about: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SelvedgeError(f"base {file} is not readable JSON ({error}); copy the base folder again.") from error
    if about.get("format") != FORMAT:
        raise SelvedgeError(
            f"base {file} has format {about.get('format')}, this version reads {FORMAT}; update selvedge."
        )
    return about


def _read_config(folder: Path) -> Blip2Config:
    try:
        return Blip2Config.from_dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise SelvedgeError(
            f"base {folder / 'config.json'} is not readable ({error}); copy the base folder again."
        ) from error
