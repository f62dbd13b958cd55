"""Reading plates: a picture in, readings out. No Django, nothing else of ours, no network.

`pictures` bytes → pixels, or a clear refusal
`detector`, `reader`, `second` the models, behind the interfaces in `results`; `models` their files
`syntaxes`, `decode` from a reader's probabilities to plate texts, weighed by the country syntaxes
`pipeline` the steps of a reading; `engine` what runs them; `cli` its command line
`voting`, `tracking` from the reads of many frames to one text for each vehicle
"""
