"""Label Studio as a client: its projects, tasks, annotations and accounts, through label-studio-sdk.

Belongs here: everything that speaks to a Label Studio server. Not here: the page an annotator sees (label_page.py) and
starting a server (infra/local/). Callers import it inside functions: the SDK and `httpx` take half a second.
"""

from labeling.review.label_studio.client import LabelStudio
from labeling.review.label_studio.tasks import ProjectGone

__all__ = ["LabelStudio", "ProjectGone"]
