"""What each family does in `selvedge train` and `selvedge evaluate`, one file a family.

Not here: options, configuration files and printing, which all families share (model_commands.py).
"""
