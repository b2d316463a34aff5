"""Admission webhooks: which of them a request concerns (hooks.py), what they are asked and answer (review.py), and over which connection
(transport.py). Both plugins, mutating_admission_webhook.py and validating_admission_webhook.py beside this folder, are made of it."""
