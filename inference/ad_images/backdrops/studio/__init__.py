"""Studio: backgrounds that we draw, with the light, perspective and depth of field of a photograph.

| module | holds |
|---|---|
| backdrop.py | the backend `Studio`, which painter paints which theme |
| canvas.py | `StudioCanvas`, what a painter paints on |
| fields.py | noise that tiles, blur |
| tone.py | from painted light to the finished picture: lens, grain, palette |
| floor.py | floors in perspective |
| scenes/ | scenes at eye level | surfaces/ | scenes from above |
"""
