"""Things in files: `neuronal.save` and `neuronal.load`.

`file` says what a file is, `coder` how a thing becomes a tree of words and arrays, `kinds` which classes of
the package a file may name, `own` what it can only name: functions of the user's own.
"""
