"""What people see of a page or a mail beside its words: colours, languages, files of templates."""
