"""The tests: ``trial tests``, or a part of them (``trial tests.config``)."""

from hypothesis import HealthCheck, settings

# How long an example takes says more about the machine than about Chatlog.
settings.register_profile("chatlog", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("chatlog")
