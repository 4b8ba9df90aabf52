"""A stand-in for Agora's recorder: recordings whose content, faults and losses are known."""
