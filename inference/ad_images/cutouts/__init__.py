"""Cut-outs: from a product photograph to the product alone.

Belongs here: decoding, outline, soft edge, confidence, and what is refused. Not here: the type of a cut-out
(../cutout.py), what is in a picture that must not be shown (../guardrails/).

| module | what |
|---|---|
| cut.py | `cut_out`: everything below in order |
| photograph.py | bytes → pixels |
| border.py | the outline before a plain backdrop |
| openings.py | backdrop that shows through handles and straps |
| rims.py | backdrop taken out again, along the edge and in narrow gaps |
| contours.py | the second opinion, from edges alone |
| segmenter.py, bedrock.py | other outlines: ONNX weights, a hosted service |
| people.py, things.py | a person, a sheet of many things, a label |
| matting.py | soft edge, colours without the backdrop |
"""
