"""Access models: one file each; a network whose model is not built is refused everything."""
