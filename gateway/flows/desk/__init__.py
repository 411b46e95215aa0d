"""At the desk: whoever answers for the data comes in, looks at a person, and acts for them."""
