"""Agora's REST service: recordings started, followed and stopped, with chaos on request."""
