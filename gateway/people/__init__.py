"""The doors of people: forms, the links in mails, a person's own pages."""
