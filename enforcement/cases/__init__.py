"""Cases: proposed by the judge, confirmed or dismissed by a human, with sealed evidence."""
