"""The work of notification's consumer with other libraries: programs that print one line of JSON.

They run in `.eventline/bench-venv` and import nothing of ours but the contracts.
"""
