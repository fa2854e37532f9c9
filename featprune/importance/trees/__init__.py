"""Importance by tree ensembles: which can be used, what each can tell, recursive elimination."""
