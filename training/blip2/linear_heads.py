"""Linear heads: one layer for each attribute on the frozen features, trained on the very questions that LoRA meets.

Belongs here: training them, and their answers to labelled rows. Not here: the probe that is fitted to convergence on
every row (evaluation/linear_probe.py), features (features.py), the order of the samples (examples.py).

The rung below the probe: same samples, views, steps and rates as the adapter's. An adapter below these heads lacks
neither features nor samples; what it lacks is the way from features through the language model to an answer.
"""

from collections.abc import Mapping

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from catalog.schema import AttributeSchema
from evaluation.scores import CEILING
from training.blip2.base import Base
from training.blip2.examples import Examples, draw_weights, lora_batches, make_examples, split_pairs
from training.blip2.features import FeatureStore
from training.blip2.settings import LoraSettings
from training.driver import warm_up_then_cosine

LINEAR_HEADS = f"{CEILING}linear_heads"


def linear_head_answers(
    base: Base,
    pairs: pd.DataFrame,
    schema: AttributeSchema,
    store: FeatureStore,
    settings: LoraSettings,
    test: pd.DataFrame,
    pictures: Mapping[int, str],
) -> pd.DataFrame:
    """Train the heads and answer labelled rows.

    Args:
        pairs, schema, store, settings: as `lora.train_lora` was given; the steps are those that it made.
        test: labelled rows (`evaluation.scores.labelled_rows`). pictures: sha256 by product; view 0 must be stored.

    Returns:
        The rows with value, confidence, abstained and in_vocabulary, as any other subject's.

    Raises:
        SelvedgeError: the pairs cannot be trained on, or features are missing.
    """
    training, _ = split_pairs(pairs, settings.validation_questions)
    examples = make_examples(base, training)
    classes = [(name, value) for name, attribute in schema.attributes.items() for value in attribute.vocabulary]
    own = {name: torch.tensor([attribute == name for attribute, _ in classes]) for name in schema.attributes}
    heads = _train(examples, schema, classes, own, store, settings)
    rows = test[test["attribute"].isin(list(own))]
    with torch.no_grad():
        logits = heads(store.read([pictures[product] for product in rows["product_id"]]).float().flatten(1))
        logits = logits.masked_fill(~torch.stack([own[name] for name in rows["attribute"]]), -torch.inf)
        sure, best = torch.softmax(logits, dim=1).max(dim=1)
    answers = test.assign(value=None, confidence=0.0, abstained=False, in_vocabulary=test["attribute"].isin(list(own)))
    answers.loc[rows.index, "value"] = [classes[index][1] for index in best.tolist()]
    answers.loc[rows.index, "confidence"] = sure.clamp(0, 1).double().numpy()
    return answers


def _train(
    examples: Examples,
    schema: AttributeSchema,
    classes: list[tuple[str, str]],
    own: Mapping[str, Tensor],
    store: FeatureStore,
    settings: LoraSettings,
) -> nn.Sequential:
    """All heads as one layer: (m, queries * d) float32 to (m, classes) logits of every attribute's values."""
    number = {(name, schema.answer(name, value)): index for index, (name, value) in enumerate(classes)}
    truth = torch.tensor(
        [number[pair] for pair in zip(examples.attributes, examples.answers, strict=True)], dtype=torch.long
    )
    plain = store.read(list(dict.fromkeys(examples.images))).float().flatten(1)
    layer = nn.Linear(plain.shape[1], len(classes))
    nn.init.zeros_(layer.weight)
    # Begins at the commonest values: the inputs have no constant part, and a bias alone would take thousands of steps.
    counts = torch.bincount(truth, minlength=len(classes)).float()
    layer.bias.data = (counts + 1).log()
    heads = nn.Sequential(_Standardised(plain), layer)
    optimiser = torch.optim.AdamW(layer.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    weights = draw_weights(examples, settings.balance)
    for step, (rows, views) in zip(range(settings.steps), lora_batches(len(examples), settings, weights), strict=False):
        share = warm_up_then_cosine(step, settings.warmup_steps, settings.steps)
        optimiser.param_groups[0]["lr"] = settings.learning_rate * share
        features = store.read([examples.images[row] for row in rows], views.tolist()).float().flatten(1)
        allowed = torch.stack([own[examples.attributes[row]] for row in rows])
        loss = functional.cross_entropy(
            heads(features).masked_fill(~allowed, -torch.inf), truth[torch.from_numpy(rows)]
        )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return heads


class _Standardised(nn.Module):
    """Every input with mean 0 and standard deviation 1 on some rows; an input that never varies becomes 0."""

    def __init__(self, rows: Tensor):
        super().__init__()
        self.mean, spread = rows.mean(dim=0), rows.std(dim=0)
        self.scale = torch.where(spread > 1e-6 * spread.max(), 1 / spread, torch.zeros_like(spread))

    def forward(self, rows: Tensor) -> Tensor:
        return (rows - self.mean) * self.scale
