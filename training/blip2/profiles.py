"""Profiles: the sizes of BLIP-2 that one code path serves.

Belongs here: architecture, preprocessing, prompt and LoRA targets of each size, written out as data.
Not here: building and loading (base.py), training settings (settings.py).

`flan-t5-xl` is the public configuration of Salesforce/blip2-flan-t5-xl, written out so that it can be built on the meta
device, with random weights on a GPU, or counted in FLOPs without any download.
"""

from dataclasses import dataclass, field
from typing import Any

from catalog.errors import SelvedgeError
from training.blip2.preprocessing import Preprocessing
from training.blip2.prompt import Prompt

PAD, EOS, UNKNOWN = 0, 1, 2


@dataclass(frozen=True)
class Profile:
    """One size of BLIP-2.

    Attributes:
        vision, qformer, text: keyword arguments of Blip2VisionConfig, Blip2QFormerConfig, T5Config.
        queries: number of query tokens, i.e. of image tokens the language model reads.
        image_token: id of the placeholder token in the tokenizer.
        stem_channels: widths of the stride-2 convolutions that replace the linear patch embedding; empty keeps it.
        attention: implementation the library uses for its own forward pass; on a CPU the fused one is slower than plain
            matrix products as soon as a position bias is added (measured 1.7x on a LoRA step in bf16).
        lora_targets: names of the language model's linear layers that get an adapter.
        dtype: in which the frozen weights are held.
        weights_id, revision: where the weights are from, pinned; empty for weights shipped with Selvedge.
        folder: name under the models folder.
    """

    name: str
    vision: dict[str, Any]
    qformer: dict[str, Any]
    text: dict[str, Any]
    queries: int
    image_token: int
    preprocessing: Preprocessing
    folder: str
    stem_channels: tuple[int, ...] = ()
    attention: str = "sdpa"
    prompt: Prompt = field(default_factory=Prompt)
    lora_targets: tuple[str, ...] = ("q", "v")
    dtype: str = "float32"
    weights_id: str = ""
    revision: str = ""


TINY = Profile(
    name="tiny",
    folder="blip2-tiny",
    attention="eager",
    stem_channels=(32, 64, 128, 192),  # 128 px -> 8 x 8 at stride 16
    vision=dict(
        hidden_size=192,
        intermediate_size=576,
        num_hidden_layers=4,
        num_attention_heads=6,
        image_size=128,
        patch_size=16,
        hidden_act="gelu",
        layer_norm_eps=1e-6,
        attention_dropout=0.0,
        initializer_range=0.02,  # the library's default of 1e-10 is for loading, not for learning
        qkv_bias=True,
    ),
    qformer=dict(
        vocab_size=2048,
        hidden_size=192,
        num_hidden_layers=4,
        num_attention_heads=6,
        intermediate_size=384,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=64,
        layer_norm_eps=1e-6,
        cross_attention_frequency=1,
        encoder_hidden_size=192,
        use_qformer_text_input=False,
    ),
    text=dict(
        vocab_size=2048,
        d_model=192,
        d_kv=32,
        d_ff=320,
        num_layers=2,  # most of a LoRA step on a CPU is spent here, on the image tokens
        num_decoder_layers=4,
        num_heads=6,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        relative_attention_num_buckets=16,
        relative_attention_max_distance=64,
        layer_norm_epsilon=1e-6,
        tie_word_embeddings=True,
        pad_token_id=PAD,
        eos_token_id=EOS,
        bos_token_id=EOS,
        decoder_start_token_id=PAD,
    ),
    queries=24,
    image_token=3,
    # Wider than the published q and v, which on photographs reached 0.64 of the linear probe; these reach 0.81.
    lora_targets=("q", "k", "v", "o", "wi_0", "wi_1", "wo"),
    preprocessing=Preprocessing(128, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
)

FLAN_T5_XL = Profile(
    name="flan-t5-xl",
    folder="blip2-flan-t5-xl",
    weights_id="Salesforce/blip2-flan-t5-xl",
    revision="0eb0d3b46c14c1f8c7680bca2693baafdb90bb28",
    dtype="bfloat16",  # T5 overflows in float16
    vision=dict(
        hidden_size=1408,
        intermediate_size=6144,
        num_hidden_layers=39,
        num_attention_heads=16,
        image_size=224,
        patch_size=14,
        hidden_act="gelu",
        layer_norm_eps=1e-6,
        attention_dropout=0.0,
        initializer_range=0.02,  # used only for random weights in measurements
        qkv_bias=True,
    ),
    qformer=dict(
        vocab_size=30522,
        hidden_size=768,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=3072,
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
        max_position_embeddings=512,
        layer_norm_eps=1e-12,
        cross_attention_frequency=2,
        encoder_hidden_size=1408,
        use_qformer_text_input=False,
    ),
    text=dict(
        vocab_size=32128,
        d_model=2048,
        d_kv=64,
        d_ff=5120,
        num_layers=24,
        num_decoder_layers=24,
        num_heads=32,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.1,
        relative_attention_num_buckets=32,
        relative_attention_max_distance=128,
        layer_norm_epsilon=1e-6,
        tie_word_embeddings=False,
        pad_token_id=PAD,
        eos_token_id=EOS,
        bos_token_id=EOS,
        decoder_start_token_id=PAD,
    ),
    queries=32,
    image_token=32100,
    preprocessing=Preprocessing(
        224,
        (0.48145466, 0.4578275, 0.40821073),
        (0.26862954, 0.26130258, 0.27577711),  # CLIP's constants
    ),
)

PROFILES = {profile.name: profile for profile in (TINY, FLAN_T5_XL)}


def find_profile(name: str) -> Profile:
    """Raises SelvedgeError naming the known profiles."""
    if name not in PROFILES:
        raise SelvedgeError(f"profile '{name}' is unknown; use one of {sorted(PROFILES)}.")
    return PROFILES[name]
