"""Reading plates: a picture in, readings out. No Django, nothing else of ours, no network.

`pictures` bytes → pixels, or a clear refusal
`detector`, `recogniser` the two models, behind the interfaces in `results`
`syntaxes`, `decode` from a reader's probabilities to plate texts, held to the country syntaxes
`lines` which lines of text are plates, which belong together
`engine` the pipeline, as a list of steps; `cli` its command line
"""
