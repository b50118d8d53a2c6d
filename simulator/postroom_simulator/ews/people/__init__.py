"""People: the address book, contacts and lists by name, absences, delegates (ews reference 12, 15).

book        the directory as mailboxes and contacts
names       resolving a name in directory and contacts
lists       members of distribution lists
personas    people of FindPeople and GetPersona
absence     out-of-office settings
delegates   whom a mailbox is entrusted to
settings    user configurations
tips        what a sender should know before sending
sending     who may send as whom
vcard       contacts as vCards and back
"""
