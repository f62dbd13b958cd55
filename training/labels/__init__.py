"""Texts of plates in real pictures: proposed by a reader, agreed by rule, settled by eye."""
