"""The artefact: a folder that answers questions about pictures anywhere this code is installed, without the catalogue.

Belongs here: what is written, what is refused, and the model that comes out. Not here: how a candidate is made
(candidate.py), the MLflow wrapper (inference/mlflow_entry.py).

`selvedge.json` (format, base, preprocessing, prompt, schema, decoding, calibration), `adapter/` (LoRA weights,
safetensors) and, where the base is not a shipped or published one, `base/`. Merged weights are never stored: they are
derived on loading.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pandas as pd
import torch
from torch import Tensor

from catalog.errors import SelvedgeError
from catalog.schema import AttributeSchema
from training.artefact_file import read_artefact_file
from training.blip2.adapter import attach_saved
from training.blip2.answers import Decoding, PictureQuestion, answer_all, answer_tries
from training.blip2.base import Base, load_base
from training.blip2.calibration import Calibration
from training.blip2.features import Precision, image_features, images_at_once
from training.blip2.fork_loss import LOSS
from training.blip2.preprocessing import Picture, Preprocessing
from training.blip2.prompt import Prompt
from training.folders import models_folder, written_whole

FORMAT = 1
FAMILY = "blip2-attributes"


@dataclass(frozen=True)
class Question:
    """One thing to find out about one picture.

    Attributes:
        product_index: row of the pictures or features handed over with it.
        attribute: a name of the model's schema.
        article_type: names the product in the question, where the question set gives it away; None says "product".
    """

    product_index: int
    attribute: str
    article_type: str | None = None


class AttributeModel:
    """Answers questions out of closed vocabularies, with a confidence, or abstains.

    Attributes:
        base: with the adapter merged in, unless this is the base itself.
        schema: narrowed to what was taught. question_set: its only set.
        digest: hex sha256 of everything the answers depend on; "" where the weights are not from an artefact.
    """

    def __init__(
        self,
        base: Base,
        schema: AttributeSchema,
        question_set: str,
        decoding: Decoding,
        calibration: Calibration,
        feature_precision: Precision = "fp32",
        digest: str = "",
    ):
        self.base, self.schema, self.question_set = base, schema, question_set
        self.decoding, self.calibration, self.digest = decoding, calibration, digest
        self.feature_precision: Precision = feature_precision
        self._tries = answer_tries(schema, base)
        self._given = "article_type" in schema.question_set(question_set).given

    def features(self, pictures: Sequence[Picture]) -> Tensor:
        """(n, queries, d_qformer) of pictures (PIL images or HxWx3 uint8), without a cache."""
        parts = [
            image_features(self.base.model, self.base.preprocessing.pixels(chunk), self.feature_precision)
            for chunk in (
                pictures[start : start + images_at_once(self.base.device)]
                for start in range(0, len(pictures), images_at_once(self.base.device))
            )
        ]
        return torch.cat(parts)

    def questions_for(self, product_index: int, article_type: str | None) -> list[Question]:
        """Every question of the model's set that a product of this type has."""
        return [
            Question(product_index, name, article_type)
            for name in self.schema.applicable(article_type, self.question_set)
        ]

    def answer(self, inputs: Tensor | Sequence[Picture], questions: Sequence[Question]) -> pd.DataFrame:
        """Answer all questions, in batches.

        Args:
            inputs: features (n, queries, d_qformer) from a `FeatureStore`, or n pictures.
            questions: in any order; `product_index` points into `inputs`.

        Returns:
            One row per question, in order: product_index, attribute, question, answer ("Colour: Navy Blue"), value
            ("Navy Blue", also where the model abstains), confidence in (0, 1], abstained.

        Raises:
            SelvedgeError: an attribute the model was not taught, no pictures for the questions, or a confidence that is
                not finite.
        """
        if not questions:
            return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _COLUMNS.items()})
        for name in {question.attribute for question in questions}:
            if name not in self._tries:
                raise SelvedgeError(
                    f"attribute '{name}' was not taught to this model; ask one of {sorted(self._tries)}."
                )
        count = len(inputs)
        if max(question.product_index for question in questions) >= count:
            raise SelvedgeError(
                f"a question is about picture {max(q.product_index for q in questions)} of {count}; number them from 0."
            )
        features = inputs if isinstance(inputs, Tensor) else self.features(inputs)
        asked = [
            PictureQuestion(
                question.product_index,
                self.schema.question(question.attribute, question.article_type if self._given else None),
                self._tries[question.attribute],
            )
            for question in questions
        ]
        scores = answer_all(self.base, features, asked, self.decoding)
        confidence = [self.calibration.confidence(q.attribute, s) for q, s in zip(questions, scores, strict=True)]
        spoilt = sum(not math.isfinite(sure) for sure in confidence)
        if spoilt:
            raise SelvedgeError(
                f"model {self.digest or self.base.digest}: {spoilt} of {len(questions)} questions have no finite "
                "confidence; its weights or the cached features are damaged: copy the model again, delete the features."
            )
        return pd.DataFrame(
            {
                "product_index": [question.product_index for question in questions],
                "attribute": [question.attribute for question in questions],
                "question": [question.question for question in asked],
                "answer": [
                    question.trie.answers[score.answer_index] for question, score in zip(asked, scores, strict=True)
                ],
                "value": [
                    self.schema.attributes[question.attribute].vocabulary[score.answer_index]
                    for question, score in zip(questions, scores, strict=True)
                ],
                "confidence": confidence,
                "abstained": [
                    self.calibration.abstains(question.attribute, sure)
                    for question, sure in zip(questions, confidence, strict=True)
                ],
            }
        )


_COLUMNS = {
    "product_index": "int64",
    "attribute": "object",
    "question": "object",
    "answer": "object",
    "value": "object",
    "confidence": "float64",
    "abstained": "bool",
}


def untrained_model(
    base: Base, schema: AttributeSchema, question_set: str, feature_precision: Precision = "fp32"
) -> AttributeModel:
    """The base itself under the same questions: what a candidate must beat. Never abstains, is not calibrated.

    Asked as it was taught: one that was continued at the forks chooses there, any other weighs whole answers.
    """
    decoding: Decoding = "trie" if base.recipe.get("loss") == LOSS else "scored"
    return AttributeModel(base, schema, question_set, decoding, Calibration(0.5, {}), feature_precision)


def save_artefact(
    folder: Path,
    base: Base,
    adapter: Path,
    schema: AttributeSchema,
    question_set: str,
    decoding: Decoding,
    calibration: Calibration,
    feature_precision: Precision = "fp32",
    notes: Mapping[str, Any] | None = None,
) -> str:
    """Write the folder whole and return its digest.

    Args:
        adapter: folder from `train_lora`; its weights and configuration are copied.
        notes: plain data for people (figures, settings); not part of the digest.

    Raises:
        SelvedgeError: the disk is full or not writable.
    """
    about: dict[str, Any] = {
        "format": FORMAT,
        "family": FAMILY,
        "base": base.identity,
        "base_included": not _is_known(base),
        "preprocessing": base.preprocessing.to_dict(),
        "prompt": base.prompt.to_dict(),
        "schema": schema.to_dict(),
        "question_set": question_set,
        "decoding": decoding,
        "calibration": calibration.to_dict(),
        "feature_precision": feature_precision,
    }
    with written_whole(folder, "artefact") as part:
        (part / "adapter").mkdir()
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            shutil.copyfile(adapter / name, part / "adapter" / name)
        if about["base_included"]:
            shutil.copytree(base.folder, part / "base")
        digest = _digest(about, part / "adapter")
        values = about | {"digest": digest, "notes": dict(notes or {})}
        (part / "selvedge.json").write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return digest


def read_about(folder: Path) -> dict[str, Any]:
    """`selvedge.json` of an artefact of this family; raises as `read_artefact_file`."""
    return read_artefact_file(folder, FAMILY, FORMAT)


def load_artefact(
    folder: Path, *, device: str | torch.device = "cpu", dtype: torch.dtype | None = None
) -> AttributeModel:
    """A model from its folder: base found and held to its digest, adapter merged in.

    Raises:
        SelvedgeError: see `read_about`; or the base is absent or another one, or a file is damaged.
    """
    about = read_about(folder)
    wanted = about["base"]
    base = load_base(folder / "base" if about["base_included"] else wanted["profile"], device=device, dtype=dtype)
    if base.digest != wanted["digest"]:
        raise SelvedgeError(
            f"model {folder} was trained on base {wanted['digest'][:12]}, but {base.folder} holds {base.digest[:12]}; "
            "bring that base back or train again."
        )
    if (
        _digest({name: about[name] for name in about if name not in ("digest", "notes")}, folder / "adapter")
        != about["digest"]
    ):
        raise SelvedgeError(f"model {folder} does not match its digest; copy the whole folder again.")
    attach_saved(base, folder / "adapter").merge_and_unload()
    # What was used in training is what serves: the artefact's word, not the base folder's.
    base = Base(
        **{
            **vars(base),
            "preprocessing": Preprocessing.from_dict(about["preprocessing"]),
            "prompt": Prompt.from_dict(about["prompt"]),
        }
    )
    return AttributeModel(
        base,
        AttributeSchema.from_dict(about["schema"], f"model {folder}"),
        about["question_set"],
        cast(Decoding, about["decoding"]),
        Calibration.from_dict(about["calibration"]),
        cast(Precision, about["feature_precision"]),
        about["digest"],
    )


def _is_known(base: Base) -> bool:
    """Whether the base can be found again by its profile: shipped with the project, or published."""
    return bool(base.profile.weights_id) or base.folder.resolve() == (models_folder() / base.profile.folder).resolve()


def _digest(about: Mapping[str, Any], adapter: Path) -> str:
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        try:
            digest.update((adapter / name).read_bytes())
        except OSError as error:
            raise SelvedgeError(f"model file {adapter / name} is missing; copy the whole folder again.") from error
    return digest.hexdigest()
