"""The champion's judge: closed questions about a picture, put to the attribute model of this home.

Belongs here: asking it, its answer with how sure it is. Not here: the questions (presets/, a brand file), a hosted
model (bedrock_judge.py).

The model was taught to read attributes and nothing else. What it says to other questions is worth what its base knows:
a base that was trained on drawings knows nothing of hands. Hold its answers against pictures of your own before a
brand makes a question strict.
"""

import math
from typing import TYPE_CHECKING

from PIL import Image

from inference.ad_images.scene import AdPicture

if TYPE_CHECKING:
    from training.blip2.artefact import AttributeModel

ANSWERS = ("yes", "no")


class ChampionJudge:
    """Asks an attribute model, and lets it choose between yes and no.

    Args:
        model: `training.blip2.artefact.load_artefact` of its folder.

    Raises:
        SelvedgeError: its tokenizer cannot tell yes from no.
    """

    def __init__(self, model: "AttributeModel") -> None:
        from training.blip2.answers import AnswerTrie

        self._model = model
        base = model.base
        self._trie = AnswerTrie(ANSWERS, base.tokenizer, base.start_token)
        self.model_version = f"blip2-attributes {self._model.digest[:16]}"

    def ask(self, question: str, picture: AdPicture) -> tuple[bool, str]:
        """The more likely answer, and its probability against the other one."""
        from training.blip2.answers import PictureQuestion, answer_all

        features = self._model.features([Image.fromarray(picture.pixels)])
        (scores,) = answer_all(self._model.base, features, [PictureQuestion(0, question, self._trie)], "scored")
        sure = math.exp(float(scores.log_probabilities[scores.answer_index]))
        return scores.answer_index == 0, f"by {self.model_version}, {sure:.0%} sure, and never taught such questions"
