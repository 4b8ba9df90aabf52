"""Captions: WebVTT read, its cues placed on the clock of the result, and a text track of them."""
