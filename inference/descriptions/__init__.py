"""Descriptions: from confident attributes to published sentences.

Belongs here: the facts a text may use (facts.py), how they are said and recognised (wording.py), the writers
(grammar.py, bedrock.py, local_llm.py), the faithfulness check (faithfulness.py), publishing (publish.py). Not here:
where attributes come from (inference/attributes/), the vocabulary itself (catalog/schema.py).
"""
