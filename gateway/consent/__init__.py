"""May this caller see this? No entry means no; every answer names the rule that decided."""
