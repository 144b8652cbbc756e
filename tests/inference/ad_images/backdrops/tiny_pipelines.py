"""Folders of inpainting pipelines with tiny random weights, as a download would have left them.

The networks' dimensions follow diffusers' own tests; nothing is downloaded. The default pipeline gets a text encoder
and a tokenizer, so that a caption goes the whole way; the others are given embeddings.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinInpaintPipeline,
    Flux2Transformer2DModel,
    QwenImageInpaintPipeline,
    QwenImageTransformer2DModel,
    StableDiffusionXLInpaintPipeline,
    UNet2DConditionModel,
    ZImageInpaintPipeline,
    ZImageTransformer2DModel,
)

APACHE = "---\nlicense: apache-2.0\n---\n# A tiny pipeline\n"
CHATTING = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def _tokenizer() -> Any:
    """A byte-level tokenizer of 256 bytes and no merges."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import Qwen2Tokenizer

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate([*letters, "<|endoftext|>"])}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = Qwen2Tokenizer(tokenizer_object=inner, vocab=vocabulary, merges=[], pad_token="<|endoftext|>")
    tokenizer.chat_template = CHATTING
    return tokenizer


def flux2_klein() -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    transformer = Flux2Transformer2DModel(
        patch_size=1, in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=48, timestep_guidance_channels=256, axes_dims_rope=[4, 4, 4, 4], guidance_embeds=False,
    )  # fmt: skip
    config = Qwen3Config(
        intermediate_size=16, hidden_size=16, num_hidden_layers=28, num_attention_heads=2, num_key_value_heads=2,
        vocab_size=300, max_position_embeddings=512,
    )  # fmt: skip
    vae = AutoencoderKLFlux2(
        sample_size=32, down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(4, 4), layers_per_block=1, latent_channels=1, norm_num_groups=1, use_quant_conv=False,
        use_post_quant_conv=False,
    )  # fmt: skip
    return Flux2KleinInpaintPipeline(
        FlowMatchEulerDiscreteScheduler(), vae, Qwen3ForCausalLM(config), _tokenizer(), transformer, is_distilled=True
    )


def qwen_image() -> Any:
    transformer = QwenImageTransformer2DModel(
        patch_size=2, in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16, num_attention_heads=3,
        joint_attention_dim=16, guidance_embeds=False, axes_dims_rope=(8, 4, 4),
    )  # fmt: skip
    vae = AutoencoderKLQwenImage(
        base_dim=24, z_dim=4, dim_mult=[1, 2, 4], num_res_blocks=1, temperal_downsample=[False, True],
        latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
    )  # fmt: skip
    return QwenImageInpaintPipeline(FlowMatchEulerDiscreteScheduler(), vae, None, None, transformer)


def z_image() -> Any:
    transformer = ZImageTransformer2DModel(
        all_patch_size=(2,), all_f_patch_size=(1,), in_channels=16, dim=32, n_layers=1, n_refiner_layers=1, n_heads=2,
        n_kv_heads=2, qk_norm=True, cap_feat_dim=16, rope_theta=256.0, t_scale=1000.0, axes_dims=[8, 4, 4],
        axes_lens=[256, 64, 64],
    )  # fmt: skip
    with torch.no_grad():  # made of memory that nobody filled
        transformer.x_pad_token.fill_(1.0)
        transformer.cap_pad_token.fill_(1.0)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(32, 64), latent_channels=16, sample_size=32, scaling_factor=0.3611, shift_factor=0.1159,
    )  # fmt: skip
    return ZImageInpaintPipeline(FlowMatchEulerDiscreteScheduler(), vae, None, None, transformer)


def sdxl() -> Any:
    vae = AutoencoderKL(
        block_out_channels=(32, 64), latent_channels=4, sample_size=128,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    unet = UNet2DConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=32, in_channels=9, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4), addition_embed_type="text_time", addition_time_embed_dim=8, cross_attention_dim=64,
        transformer_layers_per_block=(1, 2), projection_class_embeddings_input_dim=80, use_linear_projection=True,
    )  # fmt: skip
    return StableDiffusionXLInpaintPipeline(vae, None, None, None, None, unet, EulerDiscreteScheduler())


def _words(caption: str, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator("cpu").manual_seed(len(caption)))


def say_to_qwen(_pipeline: Any, caption: str) -> Mapping[str, Any]:
    embeds = _words(caption, 1, 7, 16)
    mask = torch.ones(1, 7, dtype=torch.int64)
    return {
        "prompt_embeds": embeds, "prompt_embeds_mask": mask,
        "negative_prompt_embeds": -embeds, "negative_prompt_embeds_mask": mask,
    }  # fmt: skip


def say_to_z_image(_pipeline: Any, caption: str) -> Mapping[str, Any]:
    return {"prompt_embeds": [_words(caption, 7, 16)]}


def say_to_sdxl(_pipeline: Any, caption: str) -> Mapping[str, Any]:
    embeds, pooled = _words(caption, 1, 77, 64), _words(caption, 1, 32)
    return {
        "prompt_embeds": embeds, "negative_prompt_embeds": -embeds,
        "pooled_prompt_embeds": pooled, "negative_pooled_prompt_embeds": -pooled,
    }  # fmt: skip


Built = tuple[Callable[[], Any], Any, str]
TINY: dict[str, Built] = {
    "FLUX.2-klein-4B": (flux2_klein, None, APACHE),
    "Qwen-Image": (qwen_image, say_to_qwen, APACHE),
    "Z-Image-Turbo": (z_image, say_to_z_image, APACHE),
    "stable-diffusion-xl-1.0-inpainting-0.1": (sdxl, say_to_sdxl, APACHE.replace("apache-2.0", "openrail++")),
}


def save_tiny(model: str, folder: Path) -> Any:
    """Write a folder of a model's pipeline; returns what says a caption to it, None where it has a text encoder."""
    build, encoder, card = TINY[model]
    torch.manual_seed(0)
    build().save_pretrained(folder)
    (folder / "README.md").write_text(card)
    return encoder


def rewrite(file: Path, **fields: Any) -> None:
    """Change fields of a JSON file."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))
