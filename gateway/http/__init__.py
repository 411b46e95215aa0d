"""Speaking HTTP, whoever is at the door: routes as a table, bodies, problems, pages."""
