"""The small tokenizer of `tiny`: byte-level BPE, so that any text can be written, also words it never saw.

Belongs here: training it and its special tokens. Not here: the texts (training/blip2/pretraining/), the full-size
tokenizer (it comes with the weights).
"""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from catalog.errors import SelvedgeError

# Order is id: pad 0, eos 1, unk 2, image 3 (profiles.py).
SPECIAL_TOKENS = ("<pad>", "</s>", "<unk>", "<image>")


def train_tokenizer(texts: Iterable[str], vocab_size: int = 2048) -> PreTrainedTokenizerFast:
    """A byte-level BPE of at most `vocab_size` entries, special tokens and all 256 bytes included.

    Raises:
        SelvedgeError: `vocab_size` cannot hold the special tokens and the bytes.
    """
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if vocab_size < len(alphabet) + len(SPECIAL_TOKENS):
        raise SelvedgeError(
            f"tokenizer: vocab_size {vocab_size} is below {len(alphabet) + len(SPECIAL_TOKENS)}; raise it."
        )
    tokenizer = Tokenizer(models.BPE())
    # A space before the first word, so that a word has one spelling wherever it stands.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(alphabet),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return wrap_tokenizer(tokenizer)


def wrap_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """The transformers face of a trained tokenizer; nothing is added to a text, callers append `</s>` to answers."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=["<image>"],
        model_max_length=512,
    )


def load_tokenizer(file: Path) -> PreTrainedTokenizerFast:
    """Raises SelvedgeError when the file is missing or is not a tokenizer."""
    if not file.is_file():
        raise SelvedgeError(f"tokenizer {file} is missing; copy the whole base folder, or rebuild it with `make base`.")
    try:
        return wrap_tokenizer(Tokenizer.from_file(str(file)))
    except Exception as error:  # the tokenizers library raises a bare Exception for malformed files
        raise SelvedgeError(f"tokenizer {file} is not readable ({error}); copy the base folder again.") from error


def encode(tokenizer: PreTrainedTokenizerBase, text: str, *, end: bool = False) -> list[int]:
    """Token ids of a text without added specials, with `</s>` when `end`: how an answer is spelled."""
    ids = list(tokenizer(text.strip(), add_special_tokens=False)["input_ids"])
    return [*ids, int(tokenizer.eos_token_id)] if end else ids


def encode_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of a prompt, as the weights met prompts: T5's own tokenizer ends them with `</s>`, ours adds
    nothing."""
    return list(tokenizer(text.strip())["input_ids"])
