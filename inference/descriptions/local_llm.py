"""The local writer: descriptions from any causal language model that transformers can load, on this machine.

Belongs here: loading the folder, asking it. Not here: the prompt (prompting.py), the check and the retries
(publish.py).
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from catalog.errors import SelvedgeError
from inference.descriptions.facts import ProductFacts
from inference.descriptions.prompting import DescriptionPrompt
from inference.descriptions.writer import Draft


class LocalWriter:
    """Writes greedily, so that the same facts give the same text.

    Args:
        model, tokenizer: a transformers causal language model and its tokenizer.
        model_version: names the weights in every row; `load_local_writer` gives folder name and digest.
    """

    name = "local"

    def __init__(self, model: Any, tokenizer: Any, prompt: DescriptionPrompt, model_version: str) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._prompt = prompt
        self.model_version = model_version
        self.prompt_version = prompt.version

    def write(self, facts: ProductFacts, feedback: Sequence[str] = ()) -> Draft:
        """One greedy generation; a text cut off at the limit is cut back to its last whole sentence.

        Raises:
            SelvedgeError: the prompt is longer than the model can read.
        """
        import torch

        ids = self._tokens(self._prompt.render(facts, feedback)).to(self._model.device)
        room = getattr(self._model.config, "max_position_embeddings", None)
        if room is not None and ids.shape[1] + self._prompt.max_output_tokens > room:
            raise SelvedgeError(
                f"local writer {self.model_version}: a prompt of {ids.shape[1]} tokens and "
                f"{self._prompt.max_output_tokens} for the answer exceed the model's {room}; "
                "choose a model that reads more."
            )
        with torch.inference_mode():
            out = self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=self._prompt.max_output_tokens,
                pad_token_id=self._tokenizer.pad_token_id or self._tokenizer.eos_token_id or 0,
            )
        answer = out[0, ids.shape[1] :]
        text = " ".join(self._tokenizer.decode(answer, skip_special_tokens=True).split())
        if len(answer) == self._prompt.max_output_tokens:
            text = text[: text.rfind(".") + 1]
        return Draft(text.strip('"“”'), tokens_in=int(ids.shape[1]), tokens_out=len(answer))

    def _tokens(self, user: str) -> Any:
        """(1, n) token ids, in the model's own chat form where it has one."""
        if getattr(self._tokenizer, "chat_template", None):
            turns = [{"role": "system", "content": self._prompt.system}, {"role": "user", "content": user}]
            text = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            return self._tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
        return self._tokenizer(f"{self._prompt.system}\n\n{user}\n\nDescription:\n", return_tensors="pt").input_ids


def load_local_writer(folder: Path, prompt: DescriptionPrompt, device: str = "cpu") -> LocalWriter:
    """A writer from a folder of safetensors weights; nothing is downloaded.

    Raises:
        SelvedgeError: no weights there, or not a causal language model.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise SelvedgeError(f"local writer: {folder} holds no safetensors weights; put a causal language model there.")
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise SelvedgeError(
            f"local writer: {folder} is no causal language model ({str(error).splitlines()[0]})."
        ) from error
    model.to(torch.device(device))
    return LocalWriter(model, tokenizer, prompt, f"{folder.name}@{_digest(weights)}")


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            while block := content.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()[:12]
