"""Ad images: from a photograph of a product to pictures that show it in a scene, with the product untouched.

Belongs here: the stages, one module (or folder) each, over the types of request.py, cutout.py, plan.py, scene.py and
finding.py. Not here: Dagster, MLflow, the command line (orchestration/), where files lie (they are passed in).

| stage | module | in → out |
|---|---|---|
| request | request.py, brief.py | `AdRequest` → `AdBrief`: what was asked, and what was inferred |
| guardrails | guardrails/ | text and photograph → nothing, or `AdRefused` |
| cut-out | cutouts/ | photograph → `Cutout` |
| decomposition | decomposition.py | prompt → entities |
| retrieval | media/ | entities → assets of the media library |
| caption | captions.py | brief, entities, assets → caption |
| composition | composition.py | brief, cut-out → nine `Plan`s → `Placed` |
| background | backdrops/ | `Scene`, `Placed` → background |
| shadow, paste | shadows.py, compositing.py | background, `Placed` → `AdPicture` |
| quality control | quality/ | `AdPicture` → `Finding`s |
| ranking | ranking.py | pictures that pass → top three |
| retries | feedback.py | failed findings, or a comment → what changes |
| store | store.py | pictures → files with their recipes |

pipeline.py runs them in this order.
"""
